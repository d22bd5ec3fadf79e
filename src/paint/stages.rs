//! The parts of the screen that differ from stage to stage.

use super::cartridge::Look;
use super::geometry::Area;
use super::insertion;
use super::scene::{Countdown, Frame, Item, Scene, accent, keycap_area, position};
use super::shelf::{Shelf, light};
use super::text::{CAPITAL, Face, Line, Style};
use super::theme::{INK, MUTED, NIGHT, RED, WHITE, mix, vivid};
use super::view::{Card, View};
use std::time::Duration;

/// Where the cartridges stand, in units below the top of the middle block.
pub(super) const FLOOR: f32 = 596.0;

fn highlighted(view: &View) -> Option<&Card> {
    view.cards.get(view.highlighted)
}

fn look(view: &View, index: usize, scale: f32) -> Option<Look> {
    let number = (index < 9).then_some(index + 1);
    Some(Look { card: view.cards.get(index)?.clone(), number, lit: false, scale })
}

/// Places all cartridges that can be seen, the one with the most light last, those without at `opacity`.
pub(super) fn cartridges(scene: &mut Scene, frame: &Frame, view: &View, shelf: &Shelf, opacity: f32) {
    let at = position(view);
    let mut order: Vec<usize> = (0..shelf.bodies.len()).collect();
    order.sort_by(|a, b| light(*a, at).total_cmp(&light(*b, at)));
    for index in order {
        let Some((body, look)) = shelf.bodies.get(index).zip(look(view, index, shelf.scale)) else { continue };
        let light = light(index, at);
        if body.right() > 0.0 && body.x < frame.width {
            let opacity = opacity + (1.0 - opacity) * light;
            scene.items.push(Item::Cartridge { look: Box::new(look), body: *body, light, opacity });
        }
    }
}

/// The cartridges, and a pointer below the highlighted one.
pub(super) fn shelf(scene: &mut Scene, frame: &Frame, view: &View) {
    let shelf = Shelf::new(view.cards.len(), position(view), 0.0, frame.unit, (frame.margin(), frame.room()), frame.down(FLOOR));
    let reach = frame.margin() * 1.9;
    scene.edges = (reach * shelf.more.0, reach * shelf.more.1);
    if insertion::share(view) > 0.0 {
        return insertion::scene(scene, frame, view);
    }
    cartridges(scene, frame, view, &shelf, 1.0);
    // The light leans towards the highlighted one.
    let light = &mut scene.background.lights[0].center.0;
    *light = (*light + shelf.at) / 2.0;
    let (width, height) = (frame.px(34.0), frame.px(17.0));
    let area = Area::new(shelf.at - width / 2.0, frame.down(FLOOR + 14.0), width, height);
    scene.items.push(Item::Pointer { area, color: mix(accent(view), WHITE, 0.2) });
}

/// The highlighted persona's title and tagline, large.
pub(super) fn names(scene: &mut Scene, frame: &Frame, view: &View) {
    let Some(card) = highlighted(view) else { return };
    two_lines(scene, frame, (FLOOR + 114.0, FLOOR + 168.0), &card.title, &card.tagline);
}

fn two_lines(scene: &mut Scene, frame: &Frame, (upper, lower): (f32, f32), title: &str, below: &str) {
    let (style, text) = Style { tracking: -0.012, ..frame.style(Face::Title, 76.0, INK) }.fit(title, frame.room(), 0.55);
    scene.text(Line::centered(frame.middle(), frame.down(upper), style, text));
    let (style, text) = frame.style(Face::Text, 31.0, MUTED).fit(below, frame.room(), 0.75);
    scene.text(Line::centered(frame.middle(), frame.down(lower), style, text));
}

/// The ring with the seconds in it, and the words beside it.
pub(super) fn countdown(scene: &mut Scene, frame: &Frame, view: &View, remaining: Duration, total: Duration) {
    let Some(card) = view.cards.iter().find(|card| card.is_default).or(highlighted(view)) else { return };
    let total = total.max(remaining);
    // "1" is shown for the whole last second.
    let seconds = |time: Duration| time.as_millis().div_ceil(1000);
    let radius = frame.px(58.0);
    let gap = frame.px(30.0);
    let style = frame.style(Face::Text, 33.0, INK);
    let words = |title: &str, time: &str| format!("{title} starts in {time}");
    // Places are reserved for the longest time, or the words would jump when the seconds lose a digit.
    let widest = spoken(seconds(total)).chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect::<String>();
    let room = frame.room() - 2.0 * radius - gap;
    let title_room = room - style.width(&words("", &widest));
    let title = style.cut(&card.title, title_room.max(0.0));
    let width = 2.0 * radius + gap + style.width(&words(&title, &widest));
    let (x, y) = (frame.middle() - width / 2.0, frame.down(FLOOR + 276.0));
    let ring = Area::new(x, y - radius, 2.0 * radius, 2.0 * radius);
    let whole = total.as_secs_f32().max(f32::EPSILON);
    let left = (remaining.as_secs_f32() / whole).clamp(0.0, 1.0);

    let number = Style { tracking: 0.02, ..frame.style(Face::Title, 52.0, INK) };
    let (number, digits) = number.fit(&clock(seconds(remaining)), radius * 1.35, 0.1);
    let lines = vec![
        Line::centered(x + radius, y + CAPITAL / 2.0 * number.size, number, digits),
        Line::at(ring.right() + gap, y + CAPITAL / 2.0 * style.size, style, words(&title, &spoken(seconds(remaining)))),
    ];
    let area = Area::new(x, ring.y, width, ring.height).outset(frame.px(6.0));
    scene.countdown = Some(Countdown { ring, left: (left * 720.0).ceil() as u16, color: vivid(card.accent), lines, area });
}

/// What the ring says: "67", "2:05".
fn clock(seconds: u128) -> String {
    if seconds < 100 { seconds.to_string() } else { format!("{}:{:02}", seconds / 60, seconds % 60) }
}

/// What the words say: "67 s", "2:05 min".
fn spoken(seconds: u128) -> String {
    format!("{} {}", clock(seconds), if seconds < 100 { "s" } else { "min" })
}

/// Keycaps with what they do, along the bottom.
pub(super) fn hints(scene: &mut Scene, frame: &Frame, hints: &[(&[&str], &str)]) {
    let style = frame.style(Face::Text, 24.0, MUTED);
    let (between_keys, before_word, between_hints) = (frame.px(8.0), frame.px(14.0), frame.px(54.0));
    let y = frame.height - frame.px(74.0);
    let keys_width =
        |keys: &[&str]| keys.iter().map(|key| keycap_area(frame, 0.0, y, key).width + between_keys).sum::<f32>() - between_keys;
    let hint_width = |(keys, word): &(&[&str], &str)| keys_width(keys) + before_word + style.width(word);
    let width = hints.iter().map(hint_width).sum::<f32>() + between_hints * hints.len().saturating_sub(1) as f32;
    let mut x = frame.middle() - width / 2.0;
    for (keys, word) in hints {
        for key in *keys {
            x = scene.keycap(frame, x, y, key) + between_keys;
        }
        let line = Line::at(x - between_keys + before_word, y + CAPITAL / 2.0 * style.size, style, *word);
        x = line.area().right() + between_hints;
        scene.text(line);
    }
}

/// The chosen cartridge on its way into the slot, and what is said of it.
pub(super) fn starting(scene: &mut Scene, frame: &Frame, view: &View) {
    let Some(card) = highlighted(view) else { return };
    insertion::scene(scene, frame, view);
    two_lines(scene, frame, (FLOOR + 178.0, FLOOR + 234.0), &format!("Starting {}…", card.title), &card.tagline);
}

/// Calm and dark: this may be on the monitor for hours.
pub(super) fn running(scene: &mut Scene, frame: &Frame, view: &View) {
    let Some(card) = highlighted(view) else { return };
    if let Some(look) = look(view, view.highlighted, 2.0 * frame.px(72.0)) {
        scene.items.push(Item::Emblem {
            look: Box::new(look),
            place: Area::around(frame.middle(), frame.down(400.0), frame.px(72.0)),
            opacity: 0.38,
        });
    }
    let dim = |size, color| Style { opacity: 0.55, ..frame.style(if size > 40.0 { Face::Title } else { Face::Text }, size, color) };
    let (style, text) = dim(52.0, INK).fit(&format!("{} is running", card.title), frame.room(), 0.55);
    scene.text(Line::centered(frame.middle(), frame.down(572.0), style, text));
    let style = dim(27.0, MUTED);
    let line = |text: &str, baseline| Line::centered(frame.middle(), frame.down(baseline), style, text);
    scene.text(line(if card.is_legion { "on legion’s screen" } else { "on the host" }, 624.0));
    scene.text(line("Esc: console", 690.0));
}

/// Why the highlighted persona does not run; the shelf stays usable above.
pub(super) fn failed(scene: &mut Scene, frame: &Frame, view: &View, why: &str) {
    let Some(card) = highlighted(view) else { return };
    let width = frame.px(1200.0).min(frame.room());
    let left = frame.middle() - width / 2.0;
    let text_left = left + frame.px(104.0);
    let room = left + width - frame.px(44.0) - text_left;
    let reason = Paragraph::new(frame.style(Face::Text, 28.0, mix(INK, MUTED, 0.3)), why, (room, frame.px(166.0)));

    let highest = frame.px(296.0);
    let height = (frame.px(126.0) + reason.height()).min(highest);
    let panel = Area::new(left, frame.down(FLOOR + 48.0) + (highest - height) * 0.3, width, height);
    let radius = frame.px(22.0);
    scene.items.push(Item::Box { area: panel, radius, color: mix(NIGHT, RED, 0.07), opacity: 0.94 });
    scene.items.push(Item::Frame { area: panel, radius, width: frame.px(2.0), color: RED, opacity: 0.55 });
    let (sign_x, sign_y, sign) = (left + frame.px(62.0), panel.y + frame.px(56.0), frame.px(22.0));
    scene.items.push(Item::Box { area: Area::around(sign_x, sign_y, sign), radius: sign, color: RED, opacity: 1.0 });
    let bar = Area::new(sign_x - frame.px(2.75), sign_y - frame.px(12.0), frame.px(5.5), frame.px(14.5));
    scene.items.push(Item::Box { area: bar, radius: frame.px(2.75), color: NIGHT, opacity: 1.0 });
    scene.items.push(Item::Box {
        area: Area::around(sign_x, sign_y + frame.px(9.0), frame.px(3.4)),
        radius: frame.px(3.4),
        color: NIGHT,
        opacity: 1.0,
    });

    let (style, text) = frame.style(Face::Title, 38.0, INK).fit(&format!("{} is not running", card.title), room, 0.75);
    scene.text(Line::at(text_left, sign_y + CAPITAL / 2.0 * style.size, style, text));
    reason.place(scene, text_left, panel.y + frame.px(92.0));
}

/// Nothing but the message.
pub(super) fn broken(scene: &mut Scene, frame: &Frame, why: &str) {
    let (left, top) = (frame.margin(), frame.px(214.0));
    let width = frame.px(1600.0).min(frame.room());
    let mark = Area::new(left, top - frame.px(54.0), frame.px(64.0), frame.px(6.0));
    scene.items.push(Item::Box { area: mark, radius: frame.px(3.0), color: RED, opacity: 1.0 });
    let (style, text) = Style { tracking: -0.01, ..frame.style(Face::Title, 64.0, INK) }.fit("There is no menu to show", width, 0.6);
    scene.text(Line::at(left, top + frame.px(36.0), style, text));
    // What the settings' checker says quotes the file, with carets below the wrong word.
    let face = if why.contains(" | ") { Face::Mono } else { Face::Text };
    let (start, end) = (top + frame.px(92.0), frame.height - frame.px(150.0));
    Paragraph::new(frame.style(face, 31.0, mix(INK, MUTED, 0.3)), why, (width, end - start)).place(scene, left, start);
    let style = frame.style(Face::Text, 27.0, MUTED);
    scene.text(Line::at(left, frame.height - frame.px(66.0), style, "Press any key for the console"));
}

/// Wrapped text: smaller if there is much of it, cut if there is too much.
struct Paragraph {
    style: Style,
    lines: Vec<String>,
}

impl Paragraph {
    /// From one baseline to the next, in em.
    const LEADING: f32 = 1.42;

    fn new(mut style: Style, text: &str, (width, height): (f32, f32)) -> Self {
        let fitting = |style: &Style| (height / (style.size * Self::LEADING)).floor().max(1.0) as usize;
        let mut lines = style.wrap(text, width, usize::MAX);
        for _ in 0..3 {
            if lines.len() <= fitting(&style) {
                break;
            }
            style.size *= 0.88;
            lines = style.wrap(text, width, usize::MAX);
        }
        if lines.len() > fitting(&style) {
            lines = style.wrap(text, width, fitting(&style));
        }
        Self { style, lines }
    }

    fn height(&self) -> f32 {
        self.style.size * Self::LEADING * self.lines.len() as f32
    }

    fn place(self, scene: &mut Scene, x: f32, top: f32) {
        for (index, line) in self.lines.into_iter().enumerate() {
            let baseline = top + self.style.size * (1.0 + Self::LEADING * index as f32);
            scene.text(Line::at(x, baseline, self.style, line));
        }
    }
}
