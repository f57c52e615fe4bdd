//! Which hosts are asked without a proxy: what `no_proxy` lists.
//!
//! Entries are separated by commas or spaces: names and their subdomains, with or without a leading dot or `*.`; addresses;
//! ranges of addresses (`10.0.0.0/8`, `fd00::/8`); each but a range optionally with a port. `*` is every host.

use std::net::IpAddr;

use ureq::http::Uri;

use super::url;

/// Whether the list takes the host of `target` out.
pub(super) fn is_excluded(list: &str, target: &Uri) -> bool {
    let host = target.host().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let (address, port) = (host.parse::<IpAddr>().ok(), url::port(target));
    let mut entries = list.split(|character: char| character == ',' || character.is_whitespace());
    entries.any(|entry| match address {
        _ if entry == "*" => true,
        Some(address) => holds_address(entry, address, port),
        None => holds_name(&entry.to_ascii_lowercase(), &host, port),
    })
}

fn holds_address(entry: &str, address: IpAddr, port: u16) -> bool {
    if let Some((network, bits)) = entry.split_once('/') {
        let network = network.trim_matches(['[', ']']).parse::<IpAddr>();
        return network.is_ok_and(|network| bits.parse().is_ok_and(|bits| is_within(address, network, bits)));
    }
    if entry.trim_matches(['[', ']']).parse() == Ok(address) {
        return true;
    }
    let (name, wanted) = split_port(entry);
    wanted == Some(port) && name.trim_matches(['[', ']']).parse() == Ok(address)
}

/// Whether the first `bits` of both are the same.
fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= 32 => {
            let differs = u32::from(address) ^ u32::from(network);
            differs.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= 128 => {
            let differs = u128::from(address) ^ u128::from(network);
            differs.leading_zeros() >= bits
        }
        _ => false,
    }
}

fn holds_name(entry: &str, host: &str, port: u16) -> bool {
    let (name, wanted) = split_port(entry);
    let name = name.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
    let is_below = host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    !name.is_empty() && is_below && wanted.is_none_or(|wanted| wanted == port)
}

/// An entry and the port that follows it, if any. An IPv6 address has several colons: a port can follow it in brackets only.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((name, digits)) if name.ends_with(']') || !name.contains(':') => (name, digits.parse().ok()),
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_ranges_are_taken_out() {
        for (list, url, expected) in [
            ("*", "http://x.y/", true),
            ("x.y", "http://x.y/", true),
            ("x.y", "http://x.y./", true),
            ("other, X.Y", "http://x.Y:81/", true),
            ("other\tx.y", "http://x.y/", true),
            ("y", "http://x.y/", true),
            (".y", "http://x.y/", true),
            (".x.y", "http://x.y/", true),
            ("*.y", "http://x.y/", true),
            ("x.y:80", "http://x.y/", true),
            ("x.y:81", "http://x.y/", false),
            (".y", "http://xy/", false),
            ("y", "http://xy/", false),
            ("", "http://x.y/", false),
            (".", "http://x.y/", false),
            ("10.0.0.0/8", "http://x.y/", false),
            ("[::1]", "http://[::1]:3/", true),
            ("::1", "http://[::1]:3/", true),
            ("0:0:0:0:0:0:0:1", "http://[::1]:3/", true),
            ("[::1]:3", "http://[::1]:3/", true),
            ("[::1]:4", "http://[::1]:3/", false),
            ("127.0.0.1", "http://127.0.0.1/", true),
            ("127.0.0.1:80", "http://127.0.0.1/", true),
            ("127.0.0.1:81", "http://127.0.0.1/", false),
            ("0.0.1", "http://127.0.0.1/", false),
            ("10.0.0.0/8", "http://10.255.3.4/", true),
            ("10.0.0.0/8", "http://11.0.0.0/", false),
            ("192.168.1.7/31", "http://192.168.1.6/", true),
            ("192.168.1.7/31", "http://192.168.1.8/", false),
            ("10.1.2.3/32", "http://10.1.2.3/", true),
            ("0.0.0.0/0", "http://10.1.2.3/", true),
            ("0.0.0.0/0", "http://[fd00::1]/", false),
            ("10.0.0.0/33", "http://10.0.0.0/", false),
            ("10.0.0.0/", "http://10.0.0.0/", false),
            ("x,fd00::/8", "http://[fdab::1]/", true),
            ("[fd00::]/8", "http://[fdab::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
            ("2001:db8::/129", "http://[2001:db8::]/", false),
        ] {
            assert_eq!(is_excluded(list, &url.parse().unwrap()), expected, "{list:?} {url}");
        }
    }
}
