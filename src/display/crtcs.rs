//! Which CRTC drives which connector.

/// Gives each connector one of the CRTCs it can have (best first), as many connectors as possible, earlier ones first.
/// `None`: no CRTC is left. The best CRTC is the present one, so that nothing moves without need.
pub(super) fn assign<C: Copy + PartialEq>(wishes: &[Vec<C>]) -> Vec<Option<C>> {
    let mut given = vec![None; wishes.len()];
    // First every preferred CRTC that no other connector has taken: nothing has to move for these.
    for (index, wish) in wishes.iter().enumerate() {
        given[index] = wish.first().copied().filter(|best| !given.contains(&Some(*best)));
    }
    for index in 0..wishes.len() {
        if given[index].is_none() {
            find(index, wishes, &mut given, &mut Vec::new());
        }
    }
    given
}

/// Finds a CRTC for a connector: a free one, else one whose connector can move to another (an augmenting path).
fn find<C: Copy + PartialEq>(index: usize, wishes: &[Vec<C>], given: &mut Vec<Option<C>>, tried: &mut Vec<C>) -> bool {
    if let Some(free) = wishes[index].iter().find(|crtc| !given.contains(&Some(**crtc))) {
        given[index] = Some(*free);
        return true;
    }
    for &crtc in &wishes[index] {
        if tried.contains(&crtc) {
            continue;
        }
        tried.push(crtc);
        let Some(holder) = given.iter().position(|other| *other == Some(crtc)) else { continue };
        if find(holder, wishes, given, tried) {
            given[index] = Some(crtc);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_connector_goes_on_driving_it() {
        assert_eq!(assign(&[vec![1, 0, 2], vec![0, 1, 2], vec![0, 1, 2]]), [Some(1), Some(0), Some(2)]);
        // The console shows the same on both from one CRTC.
        assert_eq!(assign(&[vec![0, 1], vec![0, 1]]), [Some(0), Some(1)]);
    }

    #[test]
    fn one_moves_if_another_would_go_without() {
        assert_eq!(assign(&[vec![0, 1], vec![0]]), [Some(1), Some(0)]);
        assert_eq!(assign(&[vec![0, 1], vec![1, 2], vec![0]]), [Some(1), Some(2), Some(0)]);
    }

    #[test]
    fn the_last_go_without_if_there_are_too_few() {
        assert_eq!(assign(&[vec![0], vec![0, 1], vec![0, 1], vec![]]), [Some(0), Some(1), None, None]);
        assert_eq!(assign::<u8>(&[]), []);
    }
}
