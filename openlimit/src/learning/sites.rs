//! `Sites`: what is known of each call site, for a bounded number of them.
//!
//! The name of a site may come from anywhere, even from a user of the program. So a limiter keeps
//! [`MOST_SITES`] of them, and forgets the one that was taught least recently.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::estimate::Estimate;

/// The most call sites of a limiter. Programs have a few. 64 take 7 KB, and a search through them
/// some tens of nanoseconds.
const MOST_SITES: usize = 64;

/// Identifies a call site: a hash of its name. Two sites of one hash would learn together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SiteId(u64);

impl SiteId {
    pub(crate) fn of(name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What is known of one call site.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Site {
    /// The provider's count of a prompt divided by ours.
    pub(super) prompt: Estimate,
    /// The output of one choice.
    pub(super) output: Estimate,
}

/// The call sites of one limiter.
#[derive(Clone, Debug, Default)]
pub(super) struct Sites {
    /// Each with the number of its last lesson.
    sites: Vec<(SiteId, u64, Site)>,
    lessons: u64,
}

impl Sites {
    /// Returns a site, if it was taught before.
    pub(super) fn get(&self, id: SiteId) -> Option<&Site> {
        self.sites.iter().find(|(known, ..)| *known == id).map(|(.., site)| site)
    }

    /// Iterates over what is known of each site.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().map(|(.., site)| site)
    }

    /// Returns all sites, the one that was taught last first.
    pub(super) fn latest(&self) -> Vec<(SiteId, &Site)> {
        let mut sites: Vec<_> = self.sites.iter().collect();
        sites.sort_by_key(|(_, lesson, _)| Reverse(*lesson));
        sites.into_iter().map(|(id, _, site)| (*id, site)).collect()
    }

    /// Returns a site to teach.
    pub(super) fn teach(&mut self, id: SiteId) -> &mut Site {
        self.lessons += 1;
        let known = self.sites.iter().position(|(known, ..)| *known == id);
        let place = known.unwrap_or_else(|| self.place_for(id));
        let (_, lesson, site) = &mut self.sites[place];
        *lesson = self.lessons;
        site
    }

    /// Makes a place for a new site, and returns it.
    fn place_for(&mut self, id: SiteId) -> usize {
        let new = (id, 0, Site::default());
        if self.sites.len() < MOST_SITES {
            self.sites.push(new);
            return self.sites.len() - 1;
        }
        let oldest = self.sites.iter().enumerate().min_by_key(|(_, (_, lesson, _))| *lesson);
        let place = oldest.map_or(0, |(place, _)| place);
        self.sites[place] = new;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_SITES, SiteId, Sites};

    #[test]
    fn any_number_of_sites_takes_the_room_of_64_and_a_busy_one_stays() {
        let mut sites = Sites::default();
        let busy = SiteId::of("busy");
        for number in 0..10_000 {
            sites.teach(SiteId::of(&number.to_string()));
            sites.teach(busy).output.teach(1.0, 7.0);
        }
        assert_eq!(sites.sites.len(), MOST_SITES);
        assert!(sites.get(SiteId::of("0")).is_none());
        assert_eq!(sites.get(busy).map(|site| site.output.known()), Some(500));
    }
}
