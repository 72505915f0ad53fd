//! Colours by meaning: a screen says what a piece of text *is*, the theme says how that looks.
//!
//! No meaning is carried by colour alone: every role that matters has a letter, a word or a
//! modifier beside it, so that the colourless depth loses nothing.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Ordinary text.
    #[default]
    Text,
    /// Of less interest, or not current.
    Dim,
    /// The name of what is shown.
    Title,
    /// Lines between panels.
    Rule,
    /// Heads of columns.
    Header,
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// A fault.
    Bad,
    /// A key that can be pressed.
    Key,
    /// Something chosen: the current tab, the typed text.
    Accent,
    /// Ink of pictures.
    Ink,
    /// The row under the cursor; laid over the other roles.
    Selected,
}

/// A set of colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Palette {
    /// For light text on a dark ground.
    #[default]
    Dark,
    /// For dark text on a light ground.
    Light,
    /// No colour; bold, dim and reverse only.
    Mono,
}

impl Palette {
    /// Every palette.
    pub const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::Mono];

    /// The name in the configuration and in `:theme`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
        }
    }

    /// The palette of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|palette| palette.as_str() == name)
    }
}

/// How many colours the terminal can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Depth {
    /// 24 bits.
    TrueColor,
    /// The 256 indexed ones.
    Indexed,
    /// The 16 named ones.
    #[default]
    Ansi,
    /// None at all.
    None,
}

impl Depth {
    /// What the environment says: `NO_COLOR` (when not empty) and `TERM=dumb` rule colour out,
    /// `COLORTERM` and `TERM` say how much there is.
    pub fn detect(env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        if set("NO_COLOR").is_some() || term == "dumb" {
            return Self::None;
        }
        match set("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Self::TrueColor,
            _ if term.contains("256color") => Self::Indexed,
            _ => Self::Ansi,
        }
    }
}

/// A palette at a depth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Theme {
    /// The colours.
    pub palette: Palette,
    /// How many of them there are.
    pub depth: Depth,
}

/// One colour at three depths.
struct Ink(u32, u8, Color);

impl Theme {
    /// How the role looks.
    pub(crate) fn style(self, role: Role) -> Style {
        let style = Style::new().add_modifier(modifier(role));
        match self.ink(role) {
            Some(ink) => style.fg(match self.depth {
                Depth::TrueColor => Color::from_u32(ink.0),
                Depth::Indexed => Color::Indexed(ink.1),
                Depth::Ansi => ink.2,
                Depth::None => Color::Reset,
            }),
            None => style,
        }
    }

    fn ink(self, role: Role) -> Option<Ink> {
        if self.depth == Depth::None {
            return None;
        }
        let ink = match (self.palette, role) {
            (Palette::Mono, _) | (_, Role::Text | Role::Title | Role::Header | Role::Selected) => {
                return None;
            }
            (Palette::Dark, Role::Dim) => Ink(0x8a_8f98, 245, Color::DarkGray),
            (Palette::Dark, Role::Rule) => Ink(0x5c_6370, 241, Color::DarkGray),
            (Palette::Dark, Role::Good) => Ink(0x98_c379, 114, Color::Green),
            (Palette::Dark, Role::Warn) => Ink(0xe5_c07b, 180, Color::Yellow),
            (Palette::Dark, Role::Bad) => Ink(0xff_6b6b, 203, Color::LightRed),
            (Palette::Dark, Role::Key | Role::Accent) => Ink(0x61_afef, 75, Color::LightCyan),
            (Palette::Dark, Role::Ink) => Ink(0x7f_b4ca, 110, Color::Cyan),
            (Palette::Light, Role::Dim) => Ink(0x69_6c77, 242, Color::DarkGray),
            (Palette::Light, Role::Rule) => Ink(0xa0_a1a7, 247, Color::Gray),
            (Palette::Light, Role::Good) => Ink(0x2e_7d32, 28, Color::Green),
            (Palette::Light, Role::Warn) => Ink(0x98_6801, 94, Color::Magenta),
            (Palette::Light, Role::Bad) => Ink(0xc6_2828, 160, Color::Red),
            (Palette::Light, Role::Key | Role::Accent) => Ink(0x01_57ad, 25, Color::Blue),
            (Palette::Light, Role::Ink) => Ink(0x00_6d8f, 24, Color::Blue),
        };
        Some(ink)
    }
}

const fn modifier(role: Role) -> Modifier {
    match role {
        Role::Title | Role::Header | Role::Bad | Role::Key | Role::Accent => Modifier::BOLD,
        Role::Dim | Role::Rule => Modifier::DIM,
        Role::Selected => Modifier::REVERSED,
        Role::Text | Role::Good | Role::Warn | Role::Ink => Modifier::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 12] = [
        Role::Text,
        Role::Dim,
        Role::Title,
        Role::Rule,
        Role::Header,
        Role::Good,
        Role::Warn,
        Role::Bad,
        Role::Key,
        Role::Accent,
        Role::Ink,
        Role::Selected,
    ];

    #[test]
    fn the_colourless_depth_has_no_colour_and_keeps_reverse() {
        for palette in Palette::ALL {
            let theme = Theme { palette, depth: Depth::None };
            for role in ROLES {
                assert_eq!(theme.style(role).fg, None, "{role:?}");
                assert_eq!(theme.style(role).bg, None, "{role:?}");
            }
            assert!(theme.style(Role::Selected).add_modifier.contains(Modifier::REVERSED));
        }
    }

    #[test]
    fn the_environment_decides_the_depth() {
        let depth = |vars: &[(&str, &str)]| {
            Depth::detect(|name| {
                vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(depth(&[("TERM", "xterm")]), Depth::Ansi);
        assert_eq!(depth(&[("TERM", "xterm-256color")]), Depth::Indexed);
        assert_eq!(depth(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Depth::TrueColor);
        assert_eq!(depth(&[("TERM", "xterm"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")]), Depth::None);
        assert_eq!(depth(&[("TERM", "xterm"), ("NO_COLOR", "")]), Depth::Ansi);
        assert_eq!(depth(&[("TERM", "dumb")]), Depth::None);
    }
}
