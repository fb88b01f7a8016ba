//! Counting tokens: this library's counter beside tiktoken-rs, in one run.
//!
//! *Unseen* text is counted once, by a thread that has counted other text of the same kind; *repeated* text is counted
//! over and over. Prose and code are this library's own, the Chinese and the Japanese are strung together from common words,
//! and the hostile texts are a megabyte of what is hardest to merge.
//!
//! `cargo bench --bench counting`

#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use openlimit::tokens::{self, Encoding};
use serde_json::json;

criterion_group!(benches, repeated, unseen, hostile, requests, cold);
criterion_main!(benches);

const ENCODINGS: [Encoding; 2] = [Encoding::O200kBase, Encoding::Cl100kBase];

type Count = fn(Encoding, &str) -> u64;
const COUNTERS: [(&str, Count); 2] = [("openlimit", openlimit), ("tiktoken-rs", tiktoken_rs)];

fn openlimit(encoding: Encoding, text: &str) -> u64 {
    encoding.count(text)
}

fn tiktoken_rs(encoding: Encoding, text: &str) -> u64 {
    match encoding {
        Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
        _ => tiktoken_rs::cl100k_base_singleton(),
    }
    .count_ordinary(text) as u64
}

fn repeated(criterion: &mut Criterion) {
    let prose = prose();
    let mut texts = vec![("short", prose[1_000..1_040].to_owned()), ("1 KB", prose[2_000..3_024].to_owned())];
    texts.extend(kinds());
    for encoding in ENCODINGS {
        for (kind, text) in &texts {
            let mut group = group(criterion, "repeated", encoding, kind, text.len());
            for (name, count) in COUNTERS {
                group.bench_function(name, |bencher| bencher.iter(|| count(encoding, black_box(text))));
            }
        }
    }
}

fn unseen(criterion: &mut Criterion) {
    let mut texts = kinds();
    texts.insert(0, ("1 KB messages", prose()));
    for encoding in ENCODINGS {
        for (kind, text) in &texts {
            let (seen, unseen) = text.split_at(text.floor_char_boundary(text.len() / 2));
            let size = if *kind == "1 KB messages" { 1_024 } else { unseen.len() };
            let mut group = group(criterion, "unseen", encoding, kind, unseen.len());
            for (name, count) in COUNTERS {
                group.bench_function(name, |bencher| {
                    bencher.iter_custom(|times| {
                        (0..times).map(|_| once(encoding, count, seen, unseen, size)).sum()
                    });
                });
            }
        }
    }
}

/// How long it takes to count the second text, in messages of this size, on a thread that has only counted the first.
fn once(encoding: Encoding, count: Count, seen: &str, unseen: &str, size: usize) -> Duration {
    let thread = || {
        count(encoding, seen);
        let start = Instant::now();
        let mut rest = unseen;
        while !rest.is_empty() {
            let (message, after) = rest.split_at(rest.floor_char_boundary(size));
            black_box(count(encoding, message));
            rest = after;
        }
        start.elapsed()
    };
    std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
}

/// tiktoken-rs panics on a megabyte of spaces, and needs no comparing here.
fn hostile(criterion: &mut Criterion) {
    let mut random = Random(1);
    let letters: String = (0..1 << 20).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
    let texts = [
        ("1 MB of a", "a".repeat(1 << 20)),
        ("1 MB of spaces", " ".repeat(1 << 20)),
        ("1 MB of =", "=".repeat(1 << 20)),
        ("1 MB of ab", "ab".repeat(1 << 19)),
        ("1 MB of random letters", letters),
    ];
    for encoding in ENCODINGS {
        for (kind, text) in &texts {
            let mut group = group(criterion, "hostile", encoding, kind, text.len());
            group.bench_function("openlimit", |bencher| bencher.iter(|| encoding.count(black_box(text))));
        }
    }
}

/// A chat request of some turns and two tools, from its params to its cost.
fn requests(criterion: &mut Criterion) {
    let prose = prose();
    let turns = (0..8).map(|turn| {
        let role = ["user", "assistant"][turn % 2];
        json!({ "role": role, "content": &prose[turn * 700..turn * 700 + 100 + turn * 70] })
    });
    let messages: Vec<_> = [json!({ "role": "system", "content": "You are a helpful assistant." })]
        .into_iter()
        .chain(turns)
        .collect();
    let parameter = json!({ "type": "string", "description": "The city and state, e.g. San Francisco, CA" });
    let function = json!({ "name": "get_current_weather", "description": "Get the current weather in a given location.",
        "parameters": { "type": "object", "properties": { "location": parameter } } });
    let tool = json!({ "type": "function", "function": function });
    for model in ["gpt-4o", "gpt-4"] {
        let params =
            json!({ "model": model, "messages": messages, "tools": [tool, tool], "max_tokens": 500 });
        let texts: Vec<&str> = messages.iter().filter_map(|message| message["content"].as_str()).collect();
        let encoding = Encoding::of(model);
        let mut group =
            group(criterion, "request", encoding, "chat", texts.iter().map(|text| text.len()).sum());
        group.bench_function("openlimit", |bencher| bencher.iter(|| tokens::chat(black_box(&params))));
        group.bench_function("tiktoken-rs, only the texts", |bencher| {
            bencher.iter(|| texts.iter().map(|text| tiktoken_rs(encoding, text)).sum::<u64>());
        });
    }
}

/// The first count of a process: this program, run anew.
fn cold(criterion: &mut Criterion) {
    const NAME: &str = "OPENLIMIT_COLD";
    if let Ok(encoding) = std::env::var(NAME) {
        let encoding = ENCODINGS.into_iter().find(|other| other.name() == encoding).unwrap();
        let start = Instant::now();
        black_box(encoding.count("Hello, world!"));
        println!("cold {}", start.elapsed().as_nanos());
        std::process::exit(0);
    }
    for encoding in ENCODINGS {
        let mut group = criterion.benchmark_group(format!("cold start/{encoding}"));
        group.sample_size(10);
        group.bench_function("openlimit", |bencher| {
            bencher.iter_custom(|times| {
                let first = |_| {
                    let program = std::env::current_exe().unwrap();
                    let output = std::process::Command::new(program)
                        .args(["--bench", "cold start"])
                        .env(NAME, encoding.name())
                        .output()
                        .unwrap();
                    let output = String::from_utf8(output.stdout).unwrap();
                    let nanos = output.lines().find_map(|line| line.strip_prefix("cold ")).unwrap();
                    Duration::from_nanos(nanos.parse().unwrap())
                };
                (0..times).map(first).sum()
            });
        });
    }
}

fn group<'a>(
    criterion: &'a mut Criterion,
    what: &str,
    encoding: Encoding,
    kind: &str,
    length: usize,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("{what}/{encoding}/{kind}"));
    group.throughput(Throughput::Bytes(length as u64));
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    group
}

fn kinds() -> Vec<(&'static str, String)> {
    let (mut random, mut base64) = (Random(2), String::new());
    while base64.len() < 100_000 {
        base64.push(char::from(BASE64[random.below(64)]));
    }
    vec![
        ("prose", prose()),
        ("code", sources().0),
        ("Chinese", strung(CHINESE, "，。")),
        ("Japanese and emoji", strung(JAPANESE, "、。🎉😀👍🏽")),
        ("base64", base64),
    ]
}

fn prose() -> String {
    sources().1
}

/// The sources of the library: the code, and what its comments say.
fn sources() -> (String, String) {
    let (mut code, mut prose) = (String::new(), String::new());
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../openlimit/src"), &mut |line| {
        let bare = line.trim_start();
        match ["/// ", "//! ", "// "].iter().find_map(|start| bare.strip_prefix(start)) {
            Some(words) if words.is_ascii() => prose.extend([words, " "]),
            _ => code.extend([line, "\n"]),
        }
    });
    (code, prose)
}

fn read(path: &Path, line: &mut impl FnMut(&str)) {
    if path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| read(entry, line));
    } else {
        fs::read_to_string(path).unwrap().lines().for_each(line);
    }
}

/// 100 KB of these words: the earlier, the more often. One character in eight is drawn from the common ones, so that
/// there are words that are new.
fn strung(words: &str, marks: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let characters: Vec<char> = words.concat().chars().collect();
    let marks: Vec<char> = marks.chars().collect();
    let (mut random, mut text) = (Random(3), String::new());
    while text.len() < 100_000 {
        match random.below(16) {
            0 => text.push(marks[random.below(marks.len())]),
            1 | 2 => text.push(characters[random.below(characters.len())]),
            _ => {
                let end = random.below(words.len()) + 1;
                text.push_str(words[random.below(end)]);
            }
        }
    }
    text
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const CHINESE: &str = "的 是 在 了 我们 和 有 他 这 不 一个 人 中国 上 到 说 时候 也 就 要 大 发展 可以 国家 会 问题 进行 \
    工作 没有 社会 自己 经济 很 对 因为 所以 但是 如果 已经 现在 通过 生活 世界 学生 老师 公司 市场 技术 系统 数据 研究 \
    方法 使用 需要 认为 能够 这些 其中 主要 重要 不同 同时 政府 企业 教育 文化 历史 科学 人民 城市 今天 天气 很好 公园 \
    孩子 母亲 朋友 喜欢 看书 学习 汉语 北京 上海 飞机 火车 旅行 吃饭 咖啡 牛奶 苹果 水果 医院 医生 健康 运动 足球 音乐 \
    电影 电脑 手机 网络 信息 程序 语言 模型 人工智能 机器 请求 限制 令牌 每分钟 等待 队列 价格 便宜 昂贵 春天 夏天 秋天 \
    冬天 山 河流 海洋 森林 动物 植物 太阳 月亮 星星 夜晚 早晨 忽然 慢慢 仔细 当然 究竟 虽然 然而 于是 梦想 努力 成功 失败";

const JAPANESE: &str = "の は が を に です ます こと した て で と も いる ある する から これ それ 日本 私 今日 時間 人 \
    学校 先生 学生 仕事 会社 東京 大阪 電車 天気 とても いい ありがとう ございます おはよう すみません ください でしょう \
    ました ません だけど しかし だから また そして もっと 少し 大きい 小さい 新しい 古い 美しい 楽しい 嬉しい 悲しい 食べる \
    飲む 見る 聞く 話す 読む 書く 行く 来る 帰る 買う コンピュータ インターネット プログラム データ モデル トークン リクエスト \
    サーバー エラー テスト メッセージ アプリ ゲーム カメラ コーヒー レストラン ホテル 音楽 映画 写真 旅行 山 川 海 花 桜 \
    春 夏 秋 冬 朝 昼 夜 昨日 明日 毎日 家族 友達 子供 犬 猫 世界 歴史 文化 言語 研究 技術 問題 答え 質問 意味 制限 待つ";
