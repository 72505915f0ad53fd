//! The characters that pictures are made of: sparklines, bars, shades, in three sets.
//!
//! A terminal or font that lacks one set has another: braille (two points a cell), blocks, or
//! nothing but ASCII. The set decides pictures only; [`to_ascii`] turns all other text into ASCII at
//! the very end.

use unicode_width::UnicodeWidthChar;

/// Which characters the terminal can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Glyphs {
    /// Braille patterns: two points to a cell.
    Braille,
    /// Block elements: eight levels to a cell.
    #[default]
    Block,
    /// ASCII only.
    Ascii,
}

const BLOCK_LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_LEVELS: [char; 8] = ['_', '.', ',', ':', '-', '=', '*', '#'];
const BLOCK_EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// Left and right dots of a braille cell, filled from below: 0 to 4 dots.
const BRAILLE_LEFT: [u32; 5] = [0, 0x40, 0x44, 0x46, 0x47];
const BRAILLE_RIGHT: [u32; 5] = [0, 0x80, 0xa0, 0xb0, 0xb8];

impl Glyphs {
    /// Every set.
    pub const ALL: [Self; 3] = [Self::Braille, Self::Block, Self::Ascii];

    /// The name in the configuration and in `:glyphs`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Braille => "braille",
            Self::Block => "block",
            Self::Ascii => "ascii",
        }
    }

    /// The set of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.as_str() == name)
    }

    /// Points over time in at most `columns` cells, the newest at the right end; each point is
    /// 0 to 1, `None` leaves a gap. More points than fit are folded by their largest.
    pub fn spark(self, points: &[Option<f32>], columns: usize) -> String {
        let per_cell = if self == Self::Braille { 2 } else { 1 };
        let slots = columns * per_cell;
        if slots == 0 || points.is_empty() {
            return String::new();
        }
        let folded = fold(points, slots);
        folded
            .chunks(per_cell)
            .map(|cell| match self {
                Self::Braille => {
                    let dots = |point: Option<&Option<f32>>| match point {
                        Some(Some(share)) => level(*share, 4) + 1,
                        _ => 0,
                    };
                    let bits = BRAILLE_LEFT[dots(cell.first())] | BRAILLE_RIGHT[dots(cell.get(1))];
                    if bits == 0 { ' ' } else { char::from_u32(0x2800 | bits).unwrap_or(' ') }
                }
                Self::Block => cell[0].map_or(' ', |share| BLOCK_LEVELS[level(share, 8)]),
                Self::Ascii => cell[0].map_or(' ', |share| ASCII_LEVELS[level(share, 8)]),
            })
            .collect()
    }

    /// The cell of [`Glyphs::spark`] that shows the point, when so many points are drawn.
    pub fn cell_of(self, point: usize, points: usize, columns: usize) -> usize {
        let per_cell = if self == Self::Braille { 2 } else { 1 };
        let group = points.div_ceil((columns * per_cell).max(1)).max(1);
        let first = points % group;
        let slot = if point < first { 0 } else { (point - first) / group + usize::from(first > 0) };
        slot / per_cell
    }

    /// A horizontal bar that fills the share of the columns; anything above zero shows.
    pub fn bar(self, share: f64, columns: usize) -> String {
        if share.is_nan() || share <= 0.0 || columns == 0 {
            return String::new();
        }
        let share = share.min(1.0);
        match self {
            Self::Ascii => "#".repeat(((share * columns as f64).round() as usize).max(1)),
            Self::Braille => {
                let halves = ((share * columns as f64 * 2.0).round() as usize).max(1);
                let mut bar = "⣿".repeat(halves / 2);
                bar.extend((halves % 2 == 1).then_some('⡇'));
                bar
            }
            Self::Block => {
                let eighths = ((share * columns as f64 * 8.0).round() as usize).max(1);
                let mut bar = "█".repeat(eighths / 8);
                bar.extend((eighths % 8).checked_sub(1).map(|part| BLOCK_EIGHTHS[part]));
                bar
            }
        }
    }

    /// A cell filled to that share; anything above zero shows.
    pub fn fill(self, share: f32) -> char {
        match self {
            Self::Braille => ['⡀', '⡄', '⡆', '⡇', '⣇', '⣧', '⣷', '⣿'][level(share, 8)],
            Self::Block => match level(share, 8) {
                7 => '█',
                eighths => BLOCK_EIGHTHS[eighths],
            },
            Self::Ascii => ['.', '.', ':', ':', '+', '+', '#', '#'][level(share, 8)],
        }
    }

    /// One of four shades, 0 the lightest; larger levels are the darkest.
    pub const fn shade(self, level: usize) -> char {
        let shades = match self {
            Self::Braille => ['⠄', '⠕', '⠿', '⣿'],
            Self::Block => ['░', '▒', '▓', '█'],
            Self::Ascii => ['.', ':', '+', '#'],
        };
        shades[if level < 4 { level } else { 3 }]
    }
}

/// At most `slots` points: neighbours share one by their largest.
fn fold(points: &[Option<f32>], slots: usize) -> Vec<Option<f32>> {
    let group = points.len().div_ceil(slots).max(1);
    // Groups end at the newest point, so that a growing series does not flicker at its end.
    let first = points.len() % group;
    let (head, rest) = points.split_at(first);
    let largest = |group: &[Option<f32>]| group.iter().flatten().copied().reduce(f32::max);
    let head = (!head.is_empty()).then(|| largest(head));
    head.into_iter().chain(rest.chunks(group).map(largest)).collect()
}

/// The share as one of `levels` steps.
fn level(share: f32, levels: usize) -> usize {
    if share.is_nan() {
        return 0;
    }
    ((share.clamp(0.0, 1.0) * levels as f32) as usize).min(levels - 1)
}

/// The nearest ASCII of a character, as wide as it was.
pub fn to_ascii(c: char, out: &mut String) {
    let near = match c {
        ' '..='~' => c,
        '─' | '–' | '—' | '╌' | '┄' => '-',
        '│' | '▏' | '▎' | '┊' | '⋮' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' => '+',
        '·' | '░' => '.',
        '…' => '~',
        '›' | '▸' | '→' | '≥' => '>',
        '‹' | '←' | '≤' => '<',
        '▼' | '▾' | '↓' => 'v',
        '▲' | '▴' | '↑' => '^',
        '×' => 'x',
        'µ' | 'μ' => 'u',
        '‘' | '’' => '\'',
        '“' | '”' => '"',
        '✓' => '*',
        _ => '?',
    };
    out.extend(std::iter::repeat_n(near, c.width().unwrap_or(1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparks_scale_fold_and_leave_gaps() {
        let points = [Some(0.0), Some(0.5), None, Some(1.0)];
        assert_eq!(Glyphs::Block.spark(&points, 4), "▁▅ █");
        assert_eq!(Glyphs::Ascii.spark(&points, 4), "_- #");
        assert_eq!(Glyphs::Block.spark(&points, 2), "▅█");
        assert_eq!(Glyphs::Braille.spark(&points, 2).chars().count(), 2);
        assert_eq!(Glyphs::Block.spark(&points, 0), "");
        assert_eq!(Glyphs::Block.spark(&[Some(f32::NAN)], 3), "▁");
    }

    #[test]
    fn a_bar_shows_whatever_is_there() {
        assert_eq!(Glyphs::Block.bar(0.5, 4), "██");
        assert_eq!(Glyphs::Block.bar(1e-9, 4), "▏");
        assert_eq!(Glyphs::Ascii.bar(1e-9, 4), "#");
        assert_eq!(Glyphs::Block.bar(0.0, 4), "");
        assert_eq!(Glyphs::Block.bar(9.0, 4), "████");
        assert_eq!(Glyphs::Block.bar(f64::NAN, 4), "");
    }

    #[test]
    fn ascii_keeps_the_width() {
        let mut out = String::new();
        "─日x–".chars().for_each(|c| to_ascii(c, &mut out));
        assert_eq!(out, "-??x-");
    }
}
