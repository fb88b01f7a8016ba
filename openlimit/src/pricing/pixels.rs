//! `Pixels`: the size of an image, read from the first bytes of its base64.
//!
//! Only the header is decoded. Its author is not trusted: no length in it decides an allocation,
//! and the search for a size ends after `LONGEST` bytes. An image that is truncated, broken or in
//! another format has no size.

/// The width and the height of an image, neither of them zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Pixels {
    /// Returns the size in the header of this data URL, or `None` for another kind of URL, encoding
    /// or format.
    pub(crate) fn of_url(url: &str) -> Option<Self> {
        if !url.get(..5)?.eq_ignore_ascii_case("data:") {
            return None;
        }
        let (header, data) = url.split_once(',')?;
        let (_, encoding) = header.rsplit_once(';')?;
        if !encoding.trim().eq_ignore_ascii_case("base64") {
            return None;
        }
        Self::of_base64(data)
    }

    /// Returns the size in the header of this image, or `None` for another encoding or format.
    pub(crate) fn of_base64(data: &str) -> Option<Self> {
        let mut bytes = Decoded { text: data.bytes(), bits: 0, held: 0 }.take(LONGEST);
        let (width, height) = size(&mut bytes)?;
        (width != 0 && height != 0).then_some(Self { width, height })
    }
}

/// The bytes in which the size is searched. In a photograph it follows the metadata, of which
/// cameras write about 64 KiB.
const LONGEST: usize = 256 * 1024;

/// Reads the size from the header of any known format.
///
/// Sources: the PNG, GIF89a and JPEG (T.81, annex B) specifications, and RFC 9649 for WebP.
fn size(bytes: &mut impl Iterator<Item = u8>) -> Option<(u32, u32)> {
    match &next::<4>(bytes)? {
        b"\x89PNG" => {
            let [b'\r', b'\n', 0x1a, b'\n', _, _, _, _, b'I', b'H', b'D', b'R'] = next(bytes)? else {
                return None;
            };
            Some((u32::from_be_bytes(next(bytes)?), u32::from_be_bytes(next(bytes)?)))
        }
        b"GIF8" => {
            let [b'7' | b'9', b'a'] = next(bytes)? else { return None };
            Some((little(next::<2>(bytes)?), little(next::<2>(bytes)?)))
        }
        b"RIFF" => webp(bytes),
        [0xff, 0xd8, 0xff, marker] => jpeg(*marker, bytes),
        _ => None,
    }
}

fn webp(bytes: &mut impl Iterator<Item = u8>) -> Option<(u32, u32)> {
    let [_, _, _, _, b'W', b'E', b'B', b'P'] = next(bytes)? else { return None };
    let format: [u8; 4] = next(bytes)?;
    let _length: [u8; 4] = next(bytes)?;
    match &format {
        b"VP8 " => {
            let [_, _, _, 0x9d, 0x01, 0x2a] = next(bytes)? else { return None };
            Some((little(next::<2>(bytes)?) & 0x3fff, little(next::<2>(bytes)?) & 0x3fff))
        }
        b"VP8L" => {
            let [0x2f] = next(bytes)? else { return None };
            let packed = little(next::<4>(bytes)?);
            Some(((packed & 0x3fff) + 1, (packed >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => {
            let _flags: [u8; 4] = next(bytes)?;
            Some((little(next::<3>(bytes)?) + 1, little(next::<3>(bytes)?) + 1))
        }
        _ => None,
    }
}

/// Steps from segment to segment, over the thumbnails in them, to the one that begins the frame.
fn jpeg(mut marker: u8, bytes: &mut impl Iterator<Item = u8>) -> Option<(u32, u32)> {
    loop {
        match marker {
            // A fill byte before a marker.
            0xff => {
                [marker] = next(bytes)?;
                continue;
            }
            // Segments without a length.
            0x01 | 0xd0..=0xd7 => {}
            // The pixels, or the end.
            0x00 | 0xd8..=0xda => return None,
            // Frames of every coding. The gaps in 0xc0 to 0xcf are tables.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let [_, _, _precision, high, low, wide, narrow] = next(bytes)?;
                return Some((
                    u16::from_be_bytes([wide, narrow]).into(),
                    u16::from_be_bytes([high, low]).into(),
                ));
            }
            _ => {
                let left = usize::from(u16::from_be_bytes(next(bytes)?)).checked_sub(2)?;
                if let Some(last) = left.checked_sub(1) {
                    bytes.nth(last)?;
                }
            }
        }
        let [0xff, following] = next(bytes)? else { return None };
        marker = following;
    }
}

fn next<const N: usize>(bytes: &mut impl Iterator<Item = u8>) -> Option<[u8; N]> {
    let mut found = [0; N];
    for byte in &mut found {
        *byte = bytes.next()?;
    }
    Some(found)
}

fn little<const N: usize>(bytes: [u8; N]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// Decodes base64 of either alphabet, byte by byte, up to the first character outside of it.
struct Decoded<'a> {
    text: std::str::Bytes<'a>,
    bits: u32,
    /// The number of bits that are left over, fewer than 14.
    held: u32,
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        while self.held < 8 {
            let six = match self.text.find(|byte| !byte.is_ascii_whitespace())? {
                upper @ b'A'..=b'Z' => upper - b'A',
                lower @ b'a'..=b'z' => lower - b'a' + 26,
                digit @ b'0'..=b'9' => digit - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            self.bits = self.bits << 6 | u32::from(six);
            self.held += 6;
        }
        self.held -= 8;
        let [.., byte] = (self.bits >> self.held).to_be_bytes();
        Some(byte)
    }
}
