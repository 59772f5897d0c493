/**
 * A host that is booted anew while others have the addresses of its old backends: what its proxies serve before the daemon
 * runs, and after.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../host/eventually.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { type TempFolder, tempFolder } from "../host/temp-folder.js";
import { openServiceHost, type ServiceHost } from "./host.js";

requirePrivileges();

const HAPROXY_FILE = "/var/lib/solistend-live/haproxy/edge.cfg";
const NGINX_FILE = "/etc/nginx/conf.d/solistend.conf";

// What the applications are called by the kernel, with this Node and newer ones; a stranger is called otherwise.
const CONFIGURATION = `
services:
  web: { match: { port: 9001-9002, netns: host, comm: [node, MainThread] } }
proxies:
  - name: edge
    type: haproxy
    template: haproxy-edge.cfg.hbs
    options: { bind: "127.0.0.1:8080" }
    apply: unit
    output: ${HAPROXY_FILE}
    check: [haproxy, -c, -f, /etc/haproxy/haproxy.cfg, -f, "{{output}}"]
    reload: [systemctl, reload, haproxy]
    runtimeSocket: /run/haproxy/admin.sock
  - name: inner
    type: nginx
    apply: unit
    output: ${NGINX_FILE}
    check: [nginx, -t, -q]
    pidFile: /run/nginx.pid
`;

const NGINX = `
server {
	listen 127.0.0.1:8081;
	location / { proxy_pass http://web; }
}
`;

/** From the next boot on: somebody has the address of the old backend, before any proxy runs. */
const STRANGER = `
[Unit]
Before=haproxy.service nginx.service
[Service]
ExecStart=perl -MIO::Socket::INET -e '\\
	my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "0.0.0.0:9001", ReuseAddr => 1) or die; \\
	while (my $c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\\\r\\\\n\\\\r\\\\nstranger"; close $c }'
[Install]
WantedBy=multi-user.target
`;

/** And somebody looks at what the proxies serve and have, once they run and before the daemon does. */
const WITNESS = `
[Unit]
After=haproxy.service nginx.service stranger.service
Before=solistend.service
[Service]
Type=oneshot
StandardOutput=append:/run/witness
ExecStart=curl -s -m 5 -o /dev/null -w 'stranger %%{http_code}\\n' --retry 9 --retry-connrefused http://127.0.0.1:9001/
ExecStart=curl -s -m 5 -o /dev/null -w 'haproxy %%{http_code}\\n' http://127.0.0.1:8080/
ExecStart=curl -s -m 5 -o /dev/null -w 'nginx %%{http_code}\\n' http://127.0.0.1:8081/
ExecStart=cat ${HAPROXY_FILE} ${NGINX_FILE}
[Install]
WantedBy=multi-user.target
`;

const PROXIES = { HAProxy: "http://127.0.0.1:8080/", Nginx: "http://127.0.0.1:8081/" };

async function servedBy(host: ServiceHost, answer: string): Promise<void> {
	for (const [name, url] of Object.entries(PROXIES)) {
		const serves = async () => (await host.try(`curl -sf -m 2 ${url}`)).output === answer;
		await eventually(`${name} serves ${answer}`, serves, { timeoutMs: 30_000, everyMs: 100 });
	}
	// The files follow what commands have changed.
	const isWritten = async () => !(await host.try(`grep -L ':${answer} ' ${HAPROXY_FILE} ${NGINX_FILE}`)).output;
	await eventually("it is in the files", isWritten, { timeoutMs: 30_000, everyMs: 100 });
}

describe.skipIf(skipPrivileged)("a host that is booted anew", () => {
	let disk: TempFolder;

	beforeAll(async () => {
		disk = await tempFolder();
		await using host = await openServiceHost(disk.path);
		await host.write("/etc/solistend/solistend.yaml", CONFIGURATION);
		await host.write("/etc/nginx/conf.d/www.conf", NGINX);
		await host.write("/etc/systemd/system/stranger.service", STRANGER);
		await host.write("/etc/systemd/system/witness.service", WITNESS);
		await host.sh("systemctl daemon-reload && systemctl enable --quiet haproxy nginx solistend stranger witness");
		await host.sh("systemctl restart haproxy && systemctl start nginx solistend");
		await host.startApplication(9001);
		await servedBy(host, "9001");
	});

	afterAll(() => disk?.close());

	for (const ending of ["a shutdown", "a power cut"]) {
		test(`serves nobody by an old address, then whoever listens: after ${ending}`, async () => {
			const host = await openServiceHost(disk.path);
			try {
				const [stranger, haproxy, nginx, ...files] = (await host.sh("cat /run/witness")).split("\n");
				expect([stranger, haproxy, nginx]).toEqual(["stranger 200", "haproxy 503", "nginx 502"]);
				const servers = files.filter((line) => /^\tserver /.test(line));
				expect(servers.length).toBeGreaterThan(1);
				for (const server of servers) expect(server).toMatch(/ (disabled|down;)$/);
				expect(await host.sh("systemctl is-active haproxy nginx solistend")).toBe("active\nactive\nactive");
				expect(await host.sh("systemctl --failed --quiet")).toBe("");

				await host.startApplication(9002);
				await servedBy(host, "9002");
				for (const url of Object.values(PROXIES)) {
					const answers = await host.sh(`for time in 1 2 3 4 5 6 7 8 9; do curl -sf ${url}; echo; done`);
					expect(new Set(answers.split("\n"))).toEqual(new Set(["9002"]));
				}
			} finally {
				await (ending === "a shutdown" ? host.system.cut() : host.system.close());
			}
		});
	}
});
