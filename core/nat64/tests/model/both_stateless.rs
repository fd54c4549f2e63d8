//! Both stateless translators, packet by packet.

use std::collections::BTreeMap;

use sixgate_nat64::{Eam, Hairpinning, Siit, SiitConfig};
use sixgate_nat64::{Verdict, ZeroChecksum};
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};

use crate::both::{GATEWAY4, GATEWAY6, Mtus, blurred, hex, note};
use crate::dice::Dice;
use crate::octets::Prefix;
use crate::packets::{self, Scene};
use crate::state::Fate;
use crate::stateless::{Mapping, Plain, Rules, Turning};

/// Mappings by chance: the clients of the tests, their server, and wider ones around them.
const MAPPINGS: [&[(&str, &str)]; 5] = [
    &[("2001:db8:1::8/128", "192.0.2.2/32"), ("2001:db8:1::/120", "198.18.5.0/24")],
    &[("2001:db8:1::/112", "192.0.2.0/28"), ("2001:db8:5::1/128", "9.9.9.9/32")],
    &[
        ("2001:db8:1::/64", "192.0.2.2/32"),
        ("2001:db8:9::/96", "10.0.0.0/8"),
        ("2001:db8:9:1::/124", "10.6.0.16/28"),
    ],
    &[],
    &[("2001:db8:1::8/127", "192.0.2.2/31"), ("2001:db8:1::7/128", "203.0.113.5/32")],
];

fn settings(dice: &mut Dice<'_>) -> (Rules, SiitConfig) {
    let texts: &[&str] = dice.pick(&[
        &["2001:db8:64::/96"][..],
        &["64:ff9b::/96"],
        &["64:ff9b::/96", "2001:db8:64::/64"],
        &["2001:db8:6400::/40"],
    ]);
    let shipped: Vec<Prefix64> = texts.iter().map(|t| Prefix64::new(t.parse().unwrap()).unwrap()).collect();
    let chosen = dice.pick(&MAPPINGS);
    let mappings: Vec<Eam> = chosen
        .iter()
        .map(|(six, four)| Eam::new(six.parse().unwrap(), four.parse().unwrap()).unwrap())
        .collect();
    let plain = |m: &Eam| -> Mapping {
        let (six, four) = (m.v6, m.v4);
        (
            (six.address().octets(), u32::from(six.length())),
            (four.address().octets(), u32::from(four.length())),
        )
    };
    let prefix = |p: &Prefix64| Prefix {
        octets: p.prefix().address().octets(),
        bits: usize::from(p.prefix().length()),
    };
    let rules = Rules {
        prefixes: shipped.iter().map(prefix).collect(),
        mappings: mappings.iter().map(plain).collect(),
        turning: dice.pick(&[Turning::Intrinsic, Turning::Intrinsic, Turning::Simple, Turning::Off]),
        compute: dice.roll(2) == 0,
        lifted: dice.roll(2) == 0,
        reset: dice.once_in(4),
        lowest: dice.pick(&[1280, 1280, 1500, 1352]),
        mtu4: dice.pick(&[1500, 1400, 1280, 576, 9000]),
        mtu6: dice.pick(&[1500, 1400, 1280, 9000, 1283]),
        gateway4: GATEWAY4,
        gateway6: GATEWAY6,
        source4: (dice.roll(2) == 1).then_some([198, 18, 0, 1]),
        source6: (dice.roll(2) == 1).then_some(packets::CLIENTS[0]),
    };
    #[allow(clippy::needless_update, reason = "settings that are to come have their defaults")]
    let config = SiitConfig {
        prefixes: shipped,
        mappings,
        hairpinning: match rules.turning {
            Turning::Off => Hairpinning::Off,
            Turning::Simple => Hairpinning::Simple,
            Turning::Intrinsic => Hairpinning::Intrinsic,
        },
        lowest_ipv6_mtu: rules.lowest as u16,
        zero_checksum: if rules.compute { ZeroChecksum::Compute } else { ZeroChecksum::Drop },
        well_known_non_global: rules.lifted,
        gateway4: GATEWAY4.into(),
        gateway6: GATEWAY6.into(),
        source4: rules.source4.map(|a| Ipv4Prefix::new(a.into(), 32).unwrap()),
        source6: rules.source6.map(|a| Ipv6Prefix::new(a.into(), 128).unwrap()),
        reset_traffic_class: rules.reset,
        errors_per_second: 1_000_000,
        ..SiitConfig::default()
    };
    (rules, config)
}

/// Sends what `steps` make of it through both and gives what was met.
pub(crate) fn run(start: &[u8], steps: &[Vec<u8>]) -> BTreeMap<String, usize> {
    let (rules, config) = settings(&mut Dice(start));
    let ways = Mtus(rules.mtu4 as u16, rules.mtu6 as u16);
    let (mut siit, mut plain) = (Siit::new(config, [9; 32]), Plain::new(rules));
    let (mut seen6, mut seen4): (Vec<Vec<u8>>, Vec<Vec<u8>>) = Default::default();
    let mut met = BTreeMap::new();
    let mut buffer = Packet::with_capacity(4096);
    for (n, step) in steps.iter().enumerate() {
        let dice = &mut Dice(step);
        let prefixes = plain.rules.prefixes.clone();
        let scene = Scene { prefixes: &prefixes, bindings: &[], sessions: &[], seen6: &seen6, seen4: &seen4 };
        let six = dice.roll(2) == 0;
        let packets = if six { packets::from_v6(dice, &scene) } else { packets::from_v4(dice, &scene) };
        for bytes in packets {
            let mut packet = Packet::with_capacity(bytes.len());
            assert!(packet.extend(&bytes));
            let now = Instant::from_secs(n as u64);
            let verdict = if six {
                siit.outbound(now, &mut packet, ways)
            } else {
                siit.inbound(now, &mut packet, ways)
            };
            let mut shipped = Vec::new();
            while siit.poll_output(&mut buffer) {
                shipped.push(buffer.bytes().to_vec());
            }
            let fate = match verdict {
                Verdict::Translated => {
                    shipped.insert(0, packet.bytes().to_vec());
                    Fate::Translated
                }
                Verdict::Consumed => Fate::Consumed,
                Verdict::Drop(reason) => Fate::Drop(reason),
            };
            let (expected_fate, expected) = if six { plain.outbound(&bytes) } else { plain.inbound(&bytes) };
            assert_eq!(fate, expected_fate, "of {} by {:?}", hex(&bytes), plain.rules);
            note(&mut met, fate, &bytes, &shipped);
            assert_eq!(shipped.len(), expected.len(), "packets out of {} by {:?}", hex(&bytes), plain.rules);
            for (shipped, expected) in shipped.iter().zip(expected) {
                let (fresh, quotes) = (expected.fresh, expected.quotes_fresh);
                let (a, b) =
                    (blurred(shipped.clone(), fresh, quotes), blurred(expected.bytes, fresh, quotes));
                assert_eq!(hex(&a), hex(&b), "out of {} by {:?}", hex(&bytes), plain.rules);
            }
            for packet in shipped {
                let seen = if packet[0] >> 4 == 6 { &mut seen6 } else { &mut seen4 };
                seen.push(packet);
                if seen.len() > 8 {
                    seen.remove(0);
                }
            }
        }
    }
    met
}
