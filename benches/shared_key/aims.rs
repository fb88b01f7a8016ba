//! The aims of a scenario, and a row of the table.

use openlimit_tests::shared_key::Figures;

/// The shares that are refused at most, and the share that is used at least, in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aims {
    pub(crate) refused: f64,
    pub(crate) others_refused: f64,
    pub(crate) used: f64,
}

/// Prints a row.
pub(crate) fn print(what: &str, figures: &Figures, aims: Option<Aims>) {
    let Figures { attempts, refused, used, .. } = figures;
    let (own, other, used) =
        (100.0 * figures.refused_share(), 100.0 * figures.others_refused_share(), 100.0 * used);
    let (aim, met) = match aims {
        Some(aims) => {
            let is_met = own <= aims.refused && other <= aims.others_refused && used >= aims.used;
            let aim = format!("{} %, {} %, {} %", aims.refused, aims.others_refused, aims.used);
            (aim, if is_met { "yes" } else { "no" })
        }
        None => (String::new(), ""),
    };
    println!("| {what} | {refused} of {attempts}, {own:.3} % | {other:.3} | {used:.2} | {aim} | {met} |");
}
