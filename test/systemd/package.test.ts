/** The Debian package on a plain Debian 12 that is booted: from its installation to its purge, as docs/quick-start.md has it. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageDeb } from "../../systemd/packaging/deb.js";
import { type BootedSystem, bootSystem } from "../host/booted-system.js";
import { eventually } from "../host/eventually.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { type TempFolder, tempFolder } from "../host/temp-folder.js";
import { readPage } from "./page.js";

requirePrivileges();

const NEWER = "9.0.0-1";

/** Everything that the package may have made, and its user. */
const TRACES = [
	"ls -d /etc/solistend /var/lib/solistend* /run/solistend* /usr/lib/solistend /usr/share/doc/solistend 2>/dev/null",
	"find /etc/systemd /usr/lib/systemd /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/share/polkit-1 -name '*solistend*'",
	"find /var/lib/systemd/deb-systemd-helper-enabled /var/lib/systemd/deb-systemd-helper-masked -name '*solistend*' 2>/dev/null",
	"getent passwd solistend; getent group solistend",
];

/** Asks again and again, each time over a connection of its own; on SIGTERM prints how often, and how often in vain. */
const CLIENT = `
let asked = 0, failed = 0, isOver = false;
process.on("SIGTERM", () => { isOver = true; });
while (!isOver) {
	asked++;
	const isGood = await fetch("http://127.0.0.1/", { headers: { connection: "close" } }).then(({ ok }) => ok, () => false);
	if (!isGood) failed++;
	await new Promise((resolve) => setTimeout(resolve, 5));
}
console.log(JSON.stringify({ asked, failed }));`;

const APPLICATION = `require("node:http").createServer((_, response) => response.end("hello")).listen(8080)`;

const NODE = "/usr/lib/solistend/bin/node";

const QUICK_START = new URL("../../docs/quick-start.md", import.meta.url);
const HAPROXY_PART = "Debian and Ubuntu, with HAProxy";
const NGINX_PART = "With Nginx";

/**
 * The daemon sees the machine's processes here ({@link bootSystem}), so to it a pid file has to have the number that the
 * machine has for the process.
 */
const SHOW_NGINX = `
	for process in /run/host-proc/[0-9]*; do
		numbers=$(grep -s ^NSpid: $process/status) || continue
		[ "$(cat $process/comm)" = nginx ] && [ "\${numbers##*	}" = "$(cat /run/nginx.pid)" ] || continue
		basename $process >/run/nginx-on-the-machine.pid
	done
	mkdir -p /run/systemd/system/solistend.service.d
	printf '[Service]\\nBindReadOnlyPaths=/run/nginx-on-the-machine.pid:/run/nginx.pid\\n' \\
		>/run/systemd/system/solistend.service.d/nginx.conf`;

/** A network namespace of its own, as a container has. */
const BLUE = `
	ip netns add blue
	ip link add blue0 type veth peer name eth0 netns blue
	ip address add 10.203.9.1/24 dev blue0 && ip link set blue0 up
	ip -n blue address add 10.203.9.2/24 dev eth0 && ip -n blue link set eth0 up && ip -n blue link set lo up`;

/** In it, an application. */
const START_APPLICATION = `systemd-run --quiet --unit=blue --property=NetworkNamespacePath=/run/netns/blue ${NODE} -e '${APPLICATION}'`;

// dpkg writes a hundred megabytes each time, on a machine that may be busy
describe.skipIf(skipPrivileged)("the Debian package", { timeout: 300_000 }, () => {
	let folder: TempFolder;

	beforeAll(async () => {
		folder = await tempFolder();
		const file = await packageDeb({ out: folder.path, fast: true });
		await using unpacked = await tempFolder();
		await execa("dpkg-deb", ["--raw-extract", file, unpacked.path]);
		const control = join(unpacked.path, "DEBIAN", "control");
		await writeFile(control, (await readFile(control, "utf8")).replace(/^Version: .*$/m, `Version: ${NEWER}`));
		const packing = ["--root-owner-group", "-Zgzip", "-z1"];
		await execa("dpkg-deb", [...packing, "--build", unpacked.path, join(folder.path, `solistend_${NEWER}_all.deb`)]);
	});

	afterAll(() => folder.close());

	/** A system that finds the packages in /packages, and asks nobody before it installs something. */
	async function boot(): Promise<BootedSystem> {
		const system = await bootSystem([[folder.path, "/packages"]]);
		await system.sh(`echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes`);
		return system;
	}

	test("needs nothing that Debian has not already, starts nothing, and has manual pages and completion", async () => {
		await using system = await boot();
		const installed = () => system.sh("dpkg-query --show --showformat='$'{Package}'\\n'");
		const before = new Set((await installed()).split("\n"));
		await system.sh("cd /packages && apt install ./solistend_0*.deb");
		expect((await installed()).split("\n").filter((name) => !before.has(name))).toEqual(["solistend"]);

		expect((await system.try("systemctl is-enabled solistend.service")).output).toBe("disabled");
		expect((await system.try("systemctl is-active solistend.service")).output).toBe("inactive");
		expect(await system.sh("id --name --user solistend; id --name --groups solistend")).toBe(
			"solistend\nsolistend haproxy",
		);

		expect(await system.sh("solistend --version")).toMatch(/^\d+\.\d+\.\d+/);
		expect(await system.sh("solistend check")).toContain("ok");
		await system.sh("systemctl restart haproxy.service && systemctl start solistend.service");
		expect(await system.sh("solistend status")).toContain("solistend");
		expect(await system.sh("systemctl --failed --quiet")).toBe("");

		expect(await system.sh("man --where solistend solistend.yaml")).toBe(
			"/usr/share/man/man8/solistend.8.gz\n/usr/share/man/man5/solistend.yaml.5.gz",
		);
		const complete = `bash -c '
			. /usr/share/bash-completion/bash_completion
			_completion_loader solistend
			COMP_WORDS=(solistend ex); COMP_CWORD=1
			$(complete -p solistend | sed "s/.*-F \\([^ ]*\\).*/\\1/") && echo "\${COMPREPLY[@]}"'`;
		expect(await system.sh(complete)).toBe("explain");
	});

	test("serves a first backend after three commands, and no request fails while it is upgraded and taken back", async () => {
		await using system = await boot();
		await system.sh(BLUE);
		const page = await readPage(QUICK_START);
		const commands = page.block(HAPROXY_PART, "sh").trim().split("\n");
		expect(commands).toHaveLength(3);
		const began = performance.now();
		for (const [index, command] of commands.entries()) {
			await system.sh(`cd /packages && ${command.replace(/solistend_\S+\.deb/, "solistend_0*.deb")}`);
			if (index === 0) {
				await system.sh(`cat >/etc/solistend/solistend.yaml <<'END'\n${page.block(HAPROXY_PART, "yaml")}END`);
				await system.sh(START_APPLICATION);
			}
		}
		const answer = () => system.sh("curl --silent --show-error --fail http://127.0.0.1/");
		await eventually("the first backend is served", async () => (await answer()) === "hello");
		console.log(`three commands took ${((performance.now() - began) / 1000).toFixed(1)} s, the installation included`);

		await system.sh(`cat >/run/client.mjs <<'END'\n${CLIENT}\nEND`);
		await system.sh(
			`systemd-run --quiet --unit=client --property=StandardOutput=file:/run/client.json ${NODE} /run/client.mjs`,
		);
		await system.sh("echo '# edited' >>/etc/solistend/solistend.yaml");
		const pid = () => system.sh("systemctl show --property=MainPID --value solistend.service");
		const older = await pid();
		await system.sh(`cd /packages && apt install ./solistend_${NEWER}_*.deb`);
		expect(await pid()).not.toBe(older);
		expect(await system.sh("dpkg-query --show --showformat='$'{Version} solistend")).toBe(NEWER);
		expect(await system.sh("tail -n 1 /etc/solistend/solistend.yaml")).toBe("# edited");
		expect(await system.sh("solistend status")).toMatch(/10\.203\.9\.2:8080 +ready/);

		// the way back, as docs/operations.md has it
		await system.sh("cd /packages && apt install --allow-downgrades ./solistend_0*.deb");
		expect(await system.sh("dpkg-query --show --showformat='$'{Version} solistend")).not.toBe(NEWER);
		expect(await system.sh("systemctl is-active solistend.service && systemctl is-enabled solistend.service")).toBe(
			"active\nenabled",
		);
		expect(await system.sh("tail -n 1 /etc/solistend/solistend.yaml")).toBe("# edited");
		expect(await system.sh("solistend status")).toMatch(/10\.203\.9\.2:8080 +ready/);

		// who is asked is gone for a moment from the daemon's sight, never from HAProxy's
		await system.sh("systemctl restart solistend.service");
		await system.sh("apt remove solistend");
		expect(await answer()).toBe("hello");
		await system.sh("systemctl stop client.service");
		const { asked, failed } = JSON.parse(await system.sh("cat /run/client.json"));
		expect(asked).toBeGreaterThan(100);
		expect(failed).toBe(0);

		expect(await system.sh("tail -n 1 /etc/solistend/solistend.yaml")).toBe("# edited");
		expect((await system.try("solistend --version")).code).not.toBe(0);
		// HAProxy goes on, also after a reload; only a purge takes its file away
		await system.sh("systemctl reload haproxy.service");
		expect(await answer()).toBe("hello");
		await system.sh("apt purge solistend");
		for (const trace of TRACES) expect((await system.try(trace)).output).toBe("");
	});

	test("has Nginx serve a first backend after two commands, and go on without the package", async () => {
		await using system = await boot();
		await system.sh(`systemctl enable --quiet --now nginx.service; ${BLUE}; ${SHOW_NGINX}`);
		const page = await readPage(QUICK_START);
		const commands = page.block(NGINX_PART, "sh").trim().split("\n");
		expect(commands).toHaveLength(2);
		for (const [index, command] of commands.entries()) {
			await system.sh(`cd /packages && ${command.replace(/solistend_\S+\.deb/, "solistend_0*.deb")}`);
			if (index === 0) {
				await system.sh(`cat >/etc/solistend/solistend.yaml <<'END'\n${page.block(NGINX_PART, "yaml")}END`);
				await system.sh(START_APPLICATION);
			}
		}
		const server = page.block(NGINX_PART, "nginx");
		const [, file = ""] = /^# (\S+)\n/.exec(server) ?? [];
		await system.sh(`cat >${file} <<'END'\n${server}END`);
		await system.sh(page.block(NGINX_PART, "sh", 1));
		const answer = () =>
			system.sh("curl --silent --show-error --fail --header 'Host: www.example.org' http://127.0.0.1/");
		await eventually("the first backend is served", async () => (await answer()) === "hello", { timeoutMs: 30_000 });
		expect(await system.sh("solistend status")).toMatch(/edge +nginx +applied/);

		// Its file is in a folder of Nginx's, and a server names what is in it: nobody takes that away.
		await system.sh("apt purge solistend && nginx -t && systemctl restart nginx.service");
		expect(await answer()).toBe("hello");
		for (const trace of TRACES) expect((await system.try(trace)).output).toBe("");
	});

	test("comes back from its removal as it was", async () => {
		await using system = await boot();
		await system.sh("cd /packages && apt install ./solistend_0*.deb && systemctl enable --now solistend.service");
		await system.sh("apt remove solistend && cd /packages && apt install ./solistend_0*.deb");
		expect((await system.try("systemctl is-enabled solistend.service")).output).toBe("enabled");
		await system.sh("systemctl start solistend.service && solistend status");
	});
});
