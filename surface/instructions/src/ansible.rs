//! A playbook for many Linux machines.

use crate::Target;
use crate::linux;
use crate::parameters::Parameters;
use crate::way::{Output, Sign, Step, Way};

const PLAYBOOK: &str = "isatap.yml";

pub(crate) fn way(parameters: &Parameters) -> Way {
    let mut check = linux::check(parameters);
    check.run = vec![
        format!("ansible-playbook {PLAYBOOK} --check --diff"),
        "ansible isatap_hosts -m command -a 'sixgate status'".to_owned(),
    ];
    check.bad.push(Sign::new(
        "the task `the router has given an address` fails",
        "the machine is not allowed or does not reach the router; the lines above tell which",
    ));
    Way {
        target: Target::Ansible.word(),
        title: "Ansible",
        when: "for many Linux machines; the group of the inventory is who has ISATAP".to_owned(),
        files: vec![
            Output::text(PLAYBOOK, playbook(parameters)),
            Output::text("host.toml", linux::file(parameters)),
            Output::text("sixgate-host.service", linux::UNIT),
        ],
        steps: vec![
            Step::by_hand(
                "Put the machines into the group `isatap_hosts` of the inventory, and the program as `sixgate` beside the playbook \
                 (or install the package, and leave it away).",
            ),
            Step::new("In the folder that `--output` wrote:", [format!("ansible-playbook {PLAYBOOK}")]),
        ],
        check,
        undo: vec![Step::new(
            "For machines that leave the group:",
            ["ansible MACHINE -b -m command -a 'sixgate isatap leave'"],
        )],
    }
}

/// Only modules of ansible-core. The router's name cannot end a quotation.
fn playbook(parameters: &Parameters) -> String {
    let router = &parameters.router;
    format!(
        r#"# ISATAP hosts of the router {router}: ansible-playbook {PLAYBOOK}
- name: ISATAP hosts
  hosts: isatap_hosts
  become: true
  tasks:
    - name: the program is there, where it lies beside this file
      ansible.builtin.copy:
        src: "{{{{ playbook_dir }}}}/sixgate"
        dest: /usr/bin/sixgate
        mode: "0755"
      when: (playbook_dir ~ '/sixgate') is file
      notify: restart

    - name: the service is there
      ansible.builtin.copy:
        src: sixgate-host.service
        dest: /etc/systemd/system/sixgate-host.service
        mode: "0644"
      notify: restart

    - name: the folder of the configuration is there
      ansible.builtin.file:
        path: /etc/sixgate
        state: directory
        mode: "0755"

    - name: the router is {router}
      ansible.builtin.copy:
        src: host.toml
        dest: /etc/sixgate/host.toml
        mode: "0644"
        validate: /usr/bin/sixgate check %s
      notify: restart

    - name: the service runs, also after a restart
      ansible.builtin.systemd:
        name: sixgate-host.service
        daemon_reload: true
        enabled: true
        state: started

    - name: changes are in force
      ansible.builtin.meta: flush_handlers

    - name: the router has given an address
      ansible.builtin.command: /usr/bin/sixgate status --json
      register: status
      changed_when: false
      until: (status.stdout | from_json).isatap | selectattr('address', 'defined') | selectattr('address') | list | length > 0
      retries: 10
      delay: 1
      when: not ansible_check_mode

  handlers:
    - name: restart
      ansible.builtin.systemd:
        name: sixgate-host.service
        daemon_reload: true
        state: restarted
"#
    )
}
