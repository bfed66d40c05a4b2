//! What somebody may have meant.

/// The known word that is nearest to one that is not known, if any is near enough to be meant.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    // A slip of the finger or two in a word that is long enough to tell.
    let tolerance = (word.chars().count() / 4).clamp(1, 3);
    if word.chars().count() > 64 {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= tolerance && *distance < candidate.chars().count()
                || candidate.len() > 4 && lower.len() > 3 && (candidate.to_lowercase().starts_with(&lower))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_understood_and_guesses_are_not_made() {
        let known = ["replicas", "selector", "template", "minReadySeconds", "image", "name", "ports"];
        for (word, near) in [
            ("replica", Some("replicas")),
            ("Replicas", Some("replicas")),
            ("repilcas", Some("replicas")),
            ("selectors", Some("selector")),
            ("minreadyseconds", Some("minReadySeconds")),
            ("minReady", Some("minReadySeconds")),
            ("imagee", Some("image")),
            ("nfs", None),
            ("containers", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }
}
