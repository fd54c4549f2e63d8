//! Each step of the demo by itself, in a lab that nothing disturbed: (a) to (i).
//!
//! ```text
//! files .30 ─┬─ gateway ▮ ── internet ── nat ── laptop-01
//!            router
//! helpdesk-01 ─┴─ bystander-01
//! ```

use sixgate_e2e::World;

#[test]
fn the_taps_see_what_is_there() {
    World::up().passes('0');
}

#[test]
fn a_laptop_reaches_an_ipv4_only_server_by_name_and_nothing_is_readable_outside() {
    let world = World::up();
    world.passes('a');
    world.is_quiet();
}

#[test]
fn a_workstation_reaches_a_laptop_by_name_through_protocol_41_only() {
    let world = World::up();
    world.passes('b');
    world.is_quiet();
}

#[test]
fn a_laptop_reaches_a_workstation_at_its_isatap_address() {
    let world = World::up();
    world.passes('c');
    world.is_quiet();
}

#[test]
fn a_bystander_sees_no_change_and_the_web_is_as_fast_as_before() {
    World::up().passes('d');
}

#[test]
fn the_gateway_lists_clients_and_isatap_hosts() {
    World::up().passes('e');
}

#[test]
fn after_a_pulled_cable_everything_is_back_with_the_same_address() {
    World::up().passes('f');
}

#[test]
fn isatap_is_taken_from_one_workstation_and_given_back() {
    let world = World::up();
    world.passes('g');
    world.passes('b');
    world.is_quiet();
}

#[test]
fn what_is_broken_is_named_and_nothing_is_found_when_it_is_mended() {
    World::up().passes('h');
}

#[test]
fn isatap_is_taken_away_under_an_open_ssh_and_given_back() {
    let world = World::up();
    world.passes('i');
    world.is_quiet();
}
