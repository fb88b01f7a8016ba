//! The texts to count: the prose and code of this library, and random sequences of common Chinese
//! and Japanese words.

use std::fs;
use std::path::Path;

/// Returns texts of about 100 KB, each of one kind.
pub(crate) fn kinds() -> Vec<(&'static str, String)> {
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

pub(crate) fn prose() -> String {
    sources().1
}

/// Returns the code of the library, and the text of its comments.
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

/// Returns 100 KB of these words. Earlier words are more frequent. One item in eight is a single
/// character, so that new words occur.
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

/// A generator with the same numbers in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
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
