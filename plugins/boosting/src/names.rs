//! Names of inputs: those that Ichor knows, and lists that say which is which.
//!
//! The host binds a scorer's inputs by name and gives NaN for a name that nothing has, so a
//! misspelt one would be missing in every case. Names are therefore checked by their form:
//! radiomics bare as pyradiomics has them, `cnn_000`, `hematoma.volume_ml`, `clinical.*`, `sign.*`.

use crate::error::BoostingError;

/// Feature classes of pyradiomics.
const CLASSES: [&str; 8] =
    ["shape", "shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"];
/// Images from which pyradiomics takes features, or how their names begin.
const IMAGES: [&str; 10] = [
    "original",
    "wavelet",
    "log-sigma",
    "square",
    "squareroot",
    "logarithm",
    "exponential",
    "gradient",
    "lbp-2D",
    "lbp-3D",
];
const LONGEST: usize = 200;

/// Fails on a name that is empty, longer than 200 bytes, has white space, or comes twice.
pub(crate) fn check(names: &[String]) -> Result<(), BoostingError> {
    if names.is_empty() {
        return Err(BoostingError::NoInputs);
    }
    let odd = |name: &&String| {
        name.is_empty()
            || name.len() > LONGEST
            || name.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if let Some(name) = names.iter().find(odd) {
        let name = name.chars().take(60).collect();
        return Err(BoostingError::Name {
            name,
            wrong: "is empty, too long or has white space",
        });
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(BoostingError::Name {
            name: pair[0].clone(),
            wrong: "is the name of two inputs",
        }),
    }
}

/// Fails on the first name that can be no input of a study.
pub(crate) fn known(names: &[String]) -> Result<(), BoostingError> {
    match names.iter().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(BoostingError::Name {
            name: name.clone(),
            wrong: "is no input of a study: call it as pyradiomics does, cnn_000, \
                    hematoma.volume_ml, clinical.NAME or sign.NAME, in the model or by `names`",
        }),
    }
}

fn is_known(name: &str) -> bool {
    let plain = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if let Some(digits) = name.strip_prefix("cnn_") {
        return digits.len() >= 3 && digits.bytes().all(|b| b.is_ascii_digit());
    }
    if name.starts_with("hematoma.") {
        return name == "hematoma.volume_ml";
    }
    if let Some(rest) = name.strip_prefix("clinical.").or_else(|| name.strip_prefix("sign.")) {
        return plain(rest);
    }
    let parts: Vec<&str> = name.split('_').collect();
    let [image, class, feature] = parts[..] else { return false };
    let of_image = |known: &&str| {
        image.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    IMAGES.iter().any(of_image) && CLASSES.contains(&class) && plain(feature)
}

/// Renames `names` by a list of lines `NAME IN THE MODEL = NAME OF THE INPUT`.
///
/// A name that the list does not have stays; every line has to be used; `#` begins a comment.
pub(crate) fn renamed(names: &[String], list: &str) -> Result<Vec<String>, BoostingError> {
    let mut renamed = names.to_vec();
    let mut used = vec![false; names.len()];
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_unstable_by_key(|&at| &names[at]);
    for (line_idx, line) in list.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |wanted| BoostingError::Line { line: line_idx + 1, wanted };
        let (from, to) =
            line.split_once('=').map(|(from, to)| (from.trim(), to.trim())).ok_or_else(
                || wrong("`NAME IN THE MODEL = NAME OF THE INPUT`, in the list of names"),
            )?;
        let at = order
            .binary_search_by_key(&from, |&at| names[at].as_str())
            .map_err(|_| wrong("a name of the model, in the list of names"))?;
        if std::mem::replace(&mut used[order[at]], true) {
            return Err(wrong("a name that has not been renamed yet, in the list of names"));
        }
        to.clone_into(&mut renamed[order[at]]);
    }
    Ok(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }

    #[test]
    fn names_of_inputs_are_known_by_their_form() {
        for name in [
            "original_shape_Elongation",
            "wavelet-LLH_glcm_Imc1",
            "log-sigma-1-0-mm-3D_firstorder_10Percentile",
            "lbp-3D-k_ngtdm_Busyness",
            "squareroot_gldm_DependenceEntropy",
            "cnn_000",
            "cnn_255",
            "hematoma.volume_ml",
            "clinical.onset_to_ct_h",
            "sign.island",
        ] {
            assert!(is_known(name), "{name}");
        }
        for name in [
            "f0",
            "Column_3",
            "cnn_1",
            "hematoma.volume",
            "clinical.",
            "Original_shape_X",
            "x_shape_Y",
        ] {
            assert!(!is_known(name), "{name}");
        }
        let refused = known(&named(["cnn_000", "f1"])).unwrap_err().to_string();
        assert!(refused.starts_with("the input \"f1\" is no input of a study: "), "{refused}");
    }

    #[test]
    fn names_that_cannot_be_told_apart_are_refused() {
        let check = |names: &[String], expected: &str| {
            assert_eq!(check(names).unwrap_err().to_string(), expected);
        };
        check(&named(["a", "b", "a"]), "the input \"a\" is the name of two inputs");
        check(&named(["a b"]), "the input \"a b\" is empty, too long or has white space");
        check(&[], "the model has no inputs");
    }

    #[test]
    fn a_list_renames_what_it_names_and_nothing_else() {
        let names = named(["f0", "f1", "cnn_002"]);
        let list = "# ours\nf1 = cnn_001\n\nf0=hematoma.volume_ml # ml\n";
        let expected = named(["hematoma.volume_ml", "cnn_001", "cnn_002"]);
        assert_eq!(renamed(&names, list).unwrap(), expected);
        let refused = |list: &str| renamed(&names, list).unwrap_err().to_string();
        assert_eq!(
            refused("f0 = a\nf9 = b"),
            "line 2 is not a name of the model, in the list of names"
        );
        assert_eq!(
            refused("f0 = a\nf0 = b"),
            "line 2 is not a name that has not been renamed yet, in the list of names"
        );
        assert_eq!(
            refused("f0"),
            "line 1 is not `NAME IN THE MODEL = NAME OF THE INPUT`, in the list of names"
        );
    }
}
