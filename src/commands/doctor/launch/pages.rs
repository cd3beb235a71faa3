//! Pages for people: what the operator promises, and whom to write to.

use super::components::NOT_COMPARED;
use crate::commands::doctor::patient::Patient;
use crate::commands::doctor::public_address::Seen;
use trellis_relay::clock::{Clock as _, SystemClock};
use trellis_relay::config::Timestamp;
use trellis_relay::extension::{Finding, Findings, Grade};
use url::Url;

/// The pages that the relay's document names answer.
pub(super) async fn policy(patient: &Patient, seen: &Seen, list: &mut Findings) {
    const ITEM: &str = "public policy";
    let information = &patient.loaded.config.information;
    let own = [
        &information.terms_of_service,
        &information.privacy_policy,
        &information.posting_policy,
    ];
    let mut pages: Vec<String> = own.into_iter().flatten().cloned().collect();
    let own_pages = pages.clone();
    if let Some(document) = &seen.information {
        let told = ["terms_of_service", "privacy_policy", "posting_policy"];
        pages.extend(
            told.iter()
                .filter_map(|key| document[*key].as_str())
                .map(str::to_owned),
        );
    }
    pages.sort();
    pages.dedup();
    if pages.is_empty() {
        return list.fail(
            ITEM,
            "the relay's document names no page",
            "set [policy] (docs/duties.md), or publish it elsewhere, and set information.terms_of_service and information.privacy_policy",
        );
    }
    for page in &pages {
        if let Some(why) = missing(patient, page).await {
            return list.fail(
                ITEM,
                format!("{page}: {why}"),
                "publish it there, or name where it is",
            );
        }
    }
    let told = format!("{} answer", pages.join(", "));
    if !seen.is_ours && pages.iter().any(|page| !own_pages.contains(page)) {
        let told = format!("{told}; a relay that may be another names them");
        return list.by_hand(ITEM, told, NOT_COMPARED);
    }
    list.ok(ITEM, told);
}

/// Why a page cannot be read.
async fn missing(patient: &Patient, page: &str) -> Option<String> {
    let Ok(url) = Url::parse(page) else {
        return Some("it is no address".to_owned());
    };
    match patient.web.get_page(&url, "text/html, */*").await {
        Ok(answer) if answer.status == 200 => None,
        Ok(answer) => Some(format!("it answers {}", answer.status)),
        Err(why) => Some(why),
    }
}

/// RFC 9116, or at least somebody to write to.
pub(super) async fn security_contact(patient: &Patient, seen: &Seen, list: &mut Findings) {
    const ITEM: &str = "security contact";
    let advice =
        "set [security_contact] (docs/duties.md), which is /.well-known/security.txt (RFC 9116)";
    if let Some(address) = &seen.address
        && let Ok(url) = address.join("/.well-known/security.txt")
        && let Ok(answer) = patient.web.get_page(&url, "text/plain").await
        && answer.status == 200
    {
        security_text(&String::from_utf8_lossy(&answer.body), &url, list);
        return of_whom(seen.is_ours, list);
    }
    let document = seen.information.as_ref();
    let contact = document.and_then(|it| it["contact"].as_str());
    match contact.or(patient.loaded.config.information.contact.as_deref()) {
        Some(contact) => list.warn(
            ITEM,
            format!("only the contact in NIP-11, {contact}"),
            advice,
        ),
        None => list.fail(ITEM, "there is none", advice),
    }
}

/// What stands last in the list is not seen to be right where it is a page of a relay that may be another.
fn of_whom(is_ours: bool, list: &mut Findings) {
    let well = |it: &&mut Finding| matches!(it.grade, Grade::Ok | Grade::Warn);
    if let Some(last) = list.all.last_mut().filter(well)
        && !is_ours
    {
        last.grade = Grade::ByHand;
        last.found.push_str(", of a relay that may be another");
        last.advice = Some(NOT_COMPARED.to_owned());
    }
}

fn security_text(text: &str, url: &Url, list: &mut Findings) {
    const ITEM: &str = "security contact";
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let Some(contact) = field("contact") else {
        return list.fail(ITEM, format!("{url} has no Contact"), "add one (RFC 9116)");
    };
    let expires = field("expires");
    let ends = expires.as_deref().map(str::parse::<Timestamp>);
    match ends {
        Some(Err(_)) => list.warn(
            ITEM,
            format!(
                "{contact}; its Expires is not understood: {}",
                expires.unwrap_or_default()
            ),
            "write it like 2027-01-01T00:00:00Z (RFC 9116)",
        ),
        Some(Ok(ends)) if ends.unix_secs() < SystemClock.now_s() => {
            list.fail(
                ITEM,
                format!("{url} has expired on {ends}"),
                "look whether it is right, and set Expires anew",
            );
        }
        Some(Ok(ends)) => list.ok(ITEM, format!("{contact}, until {ends}")),
        None => list.warn(
            ITEM,
            format!("{contact}, without Expires"),
            "add it (RFC 9116)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d9_an_end_that_is_not_understood_is_not_called_missing() {
        let url = Url::parse("https://relay.example.com/.well-known/security.txt").expect("a URL");
        for (text, grade, words) in [
            ("Contact: mailto:a@b", Grade::Warn, "without Expires"),
            (
                "Contact: mailto:a@b\nExpires: next year",
                Grade::Warn,
                "not understood: next year",
            ),
            (
                "contact: mailto:a@b\nExpires: 2020-01-01T00:00:00Z",
                Grade::Fail,
                "expired",
            ),
            (
                "Contact: mailto:a@b\nExpires: 2090-01-01T00:00:00Z",
                Grade::Ok,
                "mailto:a@b",
            ),
            ("hello", Grade::Fail, "no Contact"),
        ] {
            let mut list = Findings::default();
            security_text(text, &url, &mut list);
            assert_eq!(list.all[0].grade, grade, "{text}");
            assert!(list.all[0].found.contains(words), "{:?}", list.all[0]);
            of_whom(true, &mut list);
            assert_eq!(list.all[0].grade, grade, "{text}");
            let of_another = match grade {
                Grade::Fail => Grade::Fail,
                _ => Grade::ByHand,
            };
            of_whom(false, &mut list);
            assert_eq!(list.all[0].grade, of_another, "{text}");
        }
    }
}
