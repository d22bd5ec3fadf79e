//! What must hold for every view and size.

use crate::views::countdown;
use persona_paint::{
    Appearance, BuiltInEmblem, Card, Color, Emblem, Gallery, LaunchStep, Overlay, Painter, PinAnswer, PinKey, Pose, PowerEntry, Progress,
    Stage, View, layout,
};
use proptest::prelude::*;

/// Any text a person may write, and some that none would.
fn text(longest: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec("[A-Za-z0-9 .,'-]", 1..=longest).prop_map(|letters| letters.concat()),
        prop::collection::vec(any::<char>(), 0..=longest).prop_map(String::from_iter),
        (1..=longest).prop_map(|length| "W".repeat(length)),
    ]
}

fn any_card() -> impl Strategy<Value = Card> {
    let emblem = prop_oneof![
        Just(Emblem::Initial),
        Just(Emblem::Png("/owner.png".into())),
        (0..8_usize).prop_map(|index| Emblem::BuiltIn(BuiltInEmblem::ALL[index].1)),
    ];
    let refused = prop::option::weighted(0.3, (text(160), text(160)).prop_map(|(reason, hint)| format!("{reason}\n{hint}")));
    (text(60), text(200), any::<[u8; 3]>(), emblem, any::<[bool; 3]>(), refused).prop_map(
        |(title, tagline, [red, green, blue], emblem, [is_default, is_legion, is_locked], refused)| {
            let accent = Color::rgb(red, green, blue);
            Card { title, tagline, accent, emblem, is_default, is_legion, is_locked, refused }
        },
    )
}

fn any_step() -> impl Strategy<Value = LaunchStep> {
    let progress = prop_oneof![Just(Progress::Pending), Just(Progress::Busy), Just(Progress::Done)];
    (text(20), progress).prop_map(|(name, progress)| LaunchStep { name, progress })
}

fn any_overlay() -> impl Strategy<Value = Overlay> {
    let answer = prop_oneof![
        Just(PinAnswer::None),
        Just(PinAnswer::Checking),
        Just(PinAnswer::Wrong),
        any::<u64>().prop_map(|seconds| PinAnswer::Wait { seconds }),
    ];
    prop_oneof![
        Just(Overlay::Help),
        (0..=PowerEntry::ALL.len()).prop_map(|highlighted| Overlay::Power { highlighted }),
        (0..80_usize, prop::option::of(0..=PinKey::ALL.len()), answer).prop_map(|(entered, cursor, answer)| Overlay::Pin {
            entered,
            cursor,
            answer
        }),
    ]
}

fn any_appearance() -> impl Strategy<Value = Appearance> {
    let scale = prop_oneof![Just(1.0_f32), 0.5..=3.0_f32, any::<f32>()];
    (any::<bool>(), any::<bool>(), scale).prop_map(|(high_contrast, large_text, scale)| Appearance { high_contrast, large_text, scale })
}

fn any_stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        (0..=20_000_000_u64, 0..=20_000_u64).prop_map(|(remaining, total)| countdown(remaining, total)),
        Just(Stage::Waiting),
        prop::collection::vec(any_step(), 0..9).prop_map(|steps| Stage::Starting { steps }),
        prop::option::of(text(60)).prop_map(|screen| Stage::Running { screen }),
        text(2000).prop_map(|why| Stage::Failed { why }),
        text(4000).prop_map(|why| Stage::Broken { why }),
    ]
}

/// Poses that happen, and some that never should.
fn any_pose() -> impl Strategy<Value = Pose> {
    let share = || prop_oneof![Just(0.0_f32), Just(1.0_f32), 0.0..1.0_f32];
    let usual = (0.0..14.0_f32, share(), share());
    let any = (any::<f32>(), any::<f32>(), any::<f32>());
    prop_oneof![9 => usual, 1 => any].prop_map(|(shelf, insertion, brightness)| Pose { shelf, insertion, brightness })
}

fn any_view() -> impl Strategy<Value = View> {
    let cards = prop::collection::vec(any_card(), 0..14);
    let header = (text(64), prop::option::of(text(40)), prop::option::of(text(200)));
    let over = (prop::option::weighted(0.4, any_overlay()), prop::option::of(any_pose()));
    (cards, 0..15_usize, any_stage(), header, over).prop_map(|(cards, highlighted, stage, (host, address, notice), (overlay, pose))| {
        let still = View::still(cards, highlighted, stage);
        View { host, address, notice, overlay, pose: pose.unwrap_or(still.pose), ..still }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn texts_stay_on_the_screen_and_apart(view in any_view(), appearance in any_appearance(), width in 320..=7680_u32, height in 200..=4320_u32) {
        let layout = layout(&view, appearance, width, height);
        let areas: Vec<_> = layout.lines().map(|(element, text)| (text, element.area)).collect();
        for (index, (text, area)) in areas.iter().enumerate() {
            prop_assert!(area.x >= 0.0 && area.y >= 0.0, "{text} {area:?}");
            prop_assert!(area.right() <= width as f32 && area.bottom() <= height as f32, "{text} {area:?}");
            for (other, other_area) in &areas[index + 1..] {
                prop_assert!(!area.overlaps(other_area), "{text} {area:?} and {other} {other_area:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn no_size_and_no_view_panics(view in any_view(), appearance in any_appearance(), width in 0..=420_u32, height in 0..=420_u32) {
        let mut painter = Painter::with(width, height, Gallery::default(), appearance);
        painter.paint(&view);
        prop_assert_eq!(painter.pixels().len(), (width.max(1) * height.max(1) * 4) as usize);
    }

    #[test]
    fn painting_on_equals_painting_anew(start in any_view(), appearance in any_appearance(), changes in prop::collection::vec((0..7_usize, any_stage(), 0..14_usize, any_pose()), 1..6)) {
        let mut view = start;
        let painter = || Painter::with(400, 300, Gallery::default(), appearance);
        let (new, mut painter) = (painter, painter());
        painter.paint(&view);
        for (what, stage, highlighted, pose) in changes {
            match (what, &mut view.stage) {
                (0, _) => view.stage = stage,
                (1, _) => view.highlighted = highlighted,
                (2, _) => view.pose = pose,
                (3, _) => view.pose.shelf += 0.2,
                (4, _) => view.overlay = if view.overlay.is_some() { None } else { Some(Overlay::Power { highlighted: highlighted % 3 }) },
                (_, Stage::Countdown { remaining, .. }) => *remaining = *remaining * 2 / 3,
                _ => view.notice = Some("changed".into()),
            }
            let before = painter.pixels().to_vec();
            let damage = painter.paint(&view);
            let mut anew = new();
            anew.paint(&view);
            prop_assert!(painter.pixels() == anew.pixels(), "the picture depends on what was there before");
            let damaged = |x: u32, y: u32| damage.iter().any(|it| (it.x..it.x + it.width).contains(&x) && (it.y..it.y + it.height).contains(&y));
            for (index, (now, before)) in painter.pixels().chunks_exact(4).zip(before.chunks_exact(4)).enumerate() {
                let (x, y) = (index as u32 % 400, index as u32 / 400);
                prop_assert!(now == before || damaged(x, y), "{x}, {y} changed outside {damage:?}");
            }
        }
    }
}
