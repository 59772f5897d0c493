/** What doctor says on a booted host on which one step of docs/quick-start.md after the other is still to be done. */

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Finding } from "../../src/cli/finding.js";
import { openServiceHost, type ServiceHost } from "./host.js";

const FOLDER = "/var/lib/solistend-live/haproxy";
const MASTER = "/run/haproxy-master.sock";

const CONFIGURATION = `
services:
  web: { match: { port: 9001 } }
proxies:
  - name: edge
    type: haproxy
    apply: unit
    output: ${FOLDER}/edge.cfg
    check: [haproxy, -c, -f, /etc/haproxy/haproxy.cfg, -f, "{{output}}"]
    reload: [systemctl, reload, haproxy]
    runtimeSocket: /run/haproxy/admin.sock
  - name: direct
    type: haproxy
    output: /srv/edge/edge.cfg
    masterSocket: ${MASTER}
`;

let host: ServiceHost;

beforeAll(async () => {
	host = await openServiceHost();
	await host.write("/etc/solistend/solistend.yaml", CONFIGURATION);
}, 120_000);

afterAll(async () => {
	await host?.system.close();
});

/** What it says, by the name of each line. */
async function doctor(): Promise<Readonly<Record<string, Finding>>> {
	const { output } = await host.try("solistend doctor --json");
	const findings: Finding[] = JSON.parse(output);
	return Object.fromEntries(findings.map((one) => [one.name.replace("proxy edge: ", ""), one]));
}

const lacks = `haproxy.cfg, not ${FOLDER}/edge.cfg: what is written there is not served`;

test("a HAProxy that was not restarted does not load the folder yet, and one that was does", async () => {
	const { loaded, unit, "runtime socket": socket } = await doctor();
	expect(loaded).toMatchObject({ state: "failed", detail: expect.stringContaining(lacks) });
	expect(loaded?.detail).toMatch(/\(its unit says so by now: systemctl restart haproxy\)$/);
	expect([unit?.state, socket?.state]).toEqual(["ok", "ok"]);

	await host.sh("systemctl restart haproxy");
	expect((await doctor())["loaded"]).toMatchObject({
		state: "ok",
		detail: expect.stringContaining("of haproxy.service"),
	});
	await host.sh("systemctl stop haproxy");
	expect((await doctor())["loaded"]?.detail).toBe(`haproxy.service has -f /etc/haproxy/haproxy.cfg -f ${FOLDER}`);
});

test("options of one's own in /etc/default/haproxy take the folder away, whether HAProxy runs or not", async () => {
	await host.sh(`echo 'EXTRAOPTS="-S ${MASTER} -n 99"' >>/etc/default/haproxy`);
	const mend = `(write EXTRAOPTS="-S ${MASTER} -n 99 -f ${FOLDER}" into /etc/default/haproxy; systemctl restart haproxy)`;
	for (const action of ["stop", "start"]) {
		await host.sh(`systemctl ${action} haproxy`);
		expect((await doctor())["loaded"]).toMatchObject({ state: "failed", detail: expect.stringContaining(mend) });
	}
});

test("what the daemon's user may not do is found by root, through the unit's own settings, too", async () => {
	const found = await doctor();
	expect(found["proxy direct: master socket"]?.detail).toContain(
		`user solistend, which runs the daemon, may not open it: no reload can be asked for there (start HAProxy with -S ${MASTER},mode,660,group,haproxy)`,
	);
	await host.sh("install -d -o solistend /srv/edge");
	expect((await doctor())["proxy direct: output"]?.detail).toContain("[Service] ReadWritePaths=/srv/edge;");
	const settings = "[Service]\nReadWritePaths=/srv/edge\nProtectProc=invisible\n";
	await host.write("/etc/systemd/system/solistend.service.d/own.conf", settings);
	await host.sh(
		"systemctl daemon-reload && chmod 600 /etc/solistend/solistend.yaml && systemctl mask --runtime -q polkit",
	);
	const after = await doctor();
	expect(after["proxy direct: output"]?.state).toBe("ok");
	expect(after["/proc"]?.detail).toContain("solistend.service has ProtectProc=invisible");
	expect(after["configuration"]?.detail).toContain("user solistend, which runs the daemon, may not open it");
	expect(after["unit"]?.detail).toContain("(apt install polkitd)");
});
