//! How large text should be on a monitor of some size.

use super::view::Appearance;

impl Appearance {
    /// The scale for a picture of `height_px` pixels on a monitor that says it is `height_mm` millimetres high.
    ///
    /// The layout scales with the height of the picture: with 1080 units of height, text is easy to read on a desk
    /// monitor or a wall screen. On a panel of 7 inches it is not: the capitals of the countdown's text have 24 units,
    /// and are made 3 mm high, for reading at arm's length (ISO 9241-303 asks for 16 to 22 minutes of arc; 3 mm at 55
    /// cm are 19). Larger monitors and televisions, viewed from further away, stay at 1.0; the smallest get 1.6.
    ///
    /// Sizes come from EDID, which is often wrong. Ignored are: none or 0 (projectors), less than 40 mm (an aspect
    /// ratio such as 16 by 9), and exactly 90 or 100 mm with 720 lines or more (the aspect ratio in centimetres, as
    /// some televisions report it). If the size is unknown, the scale is 1.0.
    pub fn scale_for(height_px: u32, height_mm: Option<u32>) -> f32 {
        const UNITS: f32 = 1080.0;
        const CAPITALS: f32 = 24.0;
        const READABLE_MM: f32 = 3.0;
        match height_mm {
            None | Some(0..40) => 1.0,
            Some(90 | 100) if height_px >= 720 => 1.0,
            Some(millimetres) => (READABLE_MM * UNITS / (CAPITALS * millimetres as f32)).clamp(1.0, 1.6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_small_panel_is_larger_and_that_of_a_monitor_is_not() {
        let seven_inches = Appearance::scale_for(600, Some(86));
        assert!((1.5..1.6).contains(&seven_inches), "{seven_inches}");
        assert_eq!(Appearance::scale_for(480, Some(54)), 1.6);
        assert!(Appearance::scale_for(1200, Some(107)) > 1.2);
        for (pixels, millimetres) in [(1080, 194), (1440, 336), (1080, 530), (2160, 800), (768, 180)] {
            assert_eq!(Appearance::scale_for(pixels, Some(millimetres)), 1.0, "{pixels} {millimetres}");
        }
    }

    #[test]
    fn nonsense_changes_nothing() {
        for (pixels, millimetres) in [(1080, None), (1080, Some(0)), (2160, Some(9)), (1080, Some(10)), (1080, Some(90)), (2160, Some(100))]
        {
            assert_eq!(Appearance::scale_for(pixels, millimetres), 1.0, "{pixels} {millimetres:?}");
        }
        assert_eq!(Appearance::scale_for(0, Some(u32::MAX)), 1.0);
    }
}
