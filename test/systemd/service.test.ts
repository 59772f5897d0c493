import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../host/eventually.js";
import { openServiceHost, type ServiceHost } from "./host.js";

/** How often the daemon is killed; a hundred times for a day on which somebody looks. */
const KILLS = Number(process.env["SOLISTEND_KILLS"] ?? 30);

const LIVE = "/var/lib/solistend-live";
const HAPROXY_FILE = `${LIVE}/haproxy/edge.cfg`;
const NGINX_FILE = `${LIVE}/upstreams.conf`;

const configuration = (services: string) => `
services:
${services}
proxies:
  - name: edge
    type: haproxy
    apply: unit
    fallbackChecks: true
    output: ${HAPROXY_FILE}
    check: [haproxy, -c, -f, /etc/haproxy/haproxy.cfg, -f, "{{output}}"]
    reload: [systemctl, reload, haproxy]
    runtimeSocket: /run/haproxy/admin.sock
    reloadInterval: 200ms
  - name: inner
    type: nginx
    apply: unit
    output: ${NGINX_FILE}
    check: [nginx, -t]
    pidFile: /run/nginx.pid
    reloadInterval: 200ms
`;
const WEB = "  web: { match: { port: 9001-9003, netns: host } }";
const API = "  api: { match: { port: 9011, netns: host } }";

const HAPROXY = `
frontend in
	bind 127.0.0.1:8080
	option dontlog-normal
	retries 3
	default_backend web
`;
const NGINX = `
include ${NGINX_FILE};
server {
	listen 127.0.0.1:8081;
	location / { proxy_pass http://web; }
}
`;

/** As the daemon's user, who has no more than its groups. */
const asDaemon = (line: string) => `setpriv --reuid=solistend --regid=solistend --init-groups sh -c '${line}'`;

let host: ServiceHost;

async function status() {
	const found = JSON.parse(await host.sh("solistend status --json"));
	const proxies: { name: string; state: string; why?: string; reloads: number }[] = found.proxies;
	const of = (name: string) => {
		const proxy = proxies.find((one) => one.name === name);
		if (proxy === undefined) throw new Error(`no proxy ${name}`);
		return proxy;
	};
	return { edge: of("edge"), inner: of("inner") };
}

const areApplied = async () => {
	const { edge, inner } = await status();
	return edge.state === "applied" && inner.state === "applied";
};

const nginxWorkers = () => host.sh("cat /proc/$(cat /run/nginx.pid)/task/*/children");

const journalOf = (unit: string) => host.sh(`journalctl -q -u ${unit} -o cat`);

/** The journal takes in what a unit wrote some time after that, which may be after its end. */
const untilLogged = (unit: string, words: string) =>
	eventually(`${unit} logged ${words}`, async () => (await journalOf(unit)).includes(words));

const isActive = async () => (await host.show("solistend", "ActiveState")) === "active";

const answers = async (url: string) => (await host.try(`curl -sf -m 2 ${url}`)).code === 0;

beforeAll(async () => {
	host = await openServiceHost();
	await host.write("/etc/solistend/solistend.yaml", configuration(WEB));
	await host.sh("rm -f /etc/nginx/sites-enabled/default");
	await host.write("/etc/nginx/conf.d/site.conf", NGINX);
	await host.write("/etc/haproxy/own.cfg", HAPROXY);
	await host.sh("cat /etc/haproxy/own.cfg >>/etc/haproxy/haproxy.cfg && rm /etc/haproxy/own.cfg");
	// The tests wait for what a host waits for less often.
	const faster = "[Service]\nRestartSec=100ms\nWatchdogSec=10s\n";
	await host.write("/etc/systemd/system/solistend.service.d/faster.conf", faster);
	await host.sh("systemctl daemon-reload && systemctl enable --quiet solistend");
	for (const port of [9001, 9002, 9003]) await host.startApplication(port);
}, 120_000);

afterAll(async () => {
	await host?.system.close();
});

beforeEach(({ onTestFailed }) => {
	onTestFailed(async () => {
		const words = "journalctl -q -n 90 -o short-precise -u solistend -u 'solistend-apply@*' -u haproxy";
		console.error((await host.try(words)).output);
	});
});

describe("the units", () => {
	test("are right, and the daemon is exposed to little", async () => {
		const units = "solistend.service solistend-apply@edge.service solistend-prepare.service";
		// It has no manual page here.
		expect(await host.sh(`systemd-analyze verify --man=no ${units}`)).toBe("");
		const { code, output } = await host.try("systemd-analyze security --threshold=20 --no-pager solistend.service");
		expect([code, output.split("\n").at(-1)]).toEqual([0, expect.stringContaining("Overall exposure level")]);
	});
});

describe("a host with HAProxy and Nginx", () => {
	test("starts proxies with files that are there and name nobody", async () => {
		await host.sh("systemctl restart haproxy && systemctl start nginx");
		expect(await host.sh("systemctl is-active solistend-prepare haproxy nginx")).toBe("active\nactive\nactive");
		const text = await host.sh(`cat ${HAPROXY_FILE}`);
		expect(text.match(/^\tserver .*$/gm)?.every((line) => line.endsWith(" disabled"))).toBe(true);
		expect(await host.sh(`cat ${NGINX_FILE}`)).toContain("server 127.0.0.1:9 down;");
	});

	test("has a daemon that is ready, as its own user, with two capabilities", async () => {
		await host.sh("systemctl start solistend");
		const pid = await host.show("solistend", "MainPID");
		const facts = await host.sh(`cat /proc/${pid}/status`);
		// CAP_PERFMON is bit 38, CAP_BPF 39
		for (const set of ["CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(facts).toContain(`${set}:\t000000c000000000`);
		expect(facts).toContain("NoNewPrivs:\t1");
		expect(await host.sh(`stat -c %U /proc/${pid}`)).toBe("solistend");
		await untilLogged("solistend", '"msg":"ready"');
		expect((await journalOf("solistend")).split('"msg":"ready"')).toHaveLength(2);
		await eventually("its line", async () => (await host.show("solistend", "StatusText")).includes("3 ready backends"));
	});

	test("serves what listens: HAProxy by commands, over a socket that is its group's", async () => {
		await eventually("HAProxy serves", () => answers("http://127.0.0.1:8080/"));
		const { servers } = await host.live();
		expect([...(servers.get("web")?.values() ?? [])].filter(({ admin }) => admin === "ready")).toHaveLength(3);
		expect((await status()).edge.reloads).toBe(0);
	});

	test("has HAProxy's file follow, and Nginx loaded anew, by root", async () => {
		await eventually("Nginx serves", () => answers("http://127.0.0.1:8081/"), { timeoutMs: 20_000 });
		await eventually("both are applied", areApplied, { timeoutMs: 20_000 });
		await eventually("the file follows", async () => (await host.sh(`cat ${HAPROXY_FILE}`)).includes(":9003 "));
		expect((await status()).inner.reloads).toBeGreaterThan(0);
		expect(await host.sh(`stat -c '%U %a' ${HAPROXY_FILE} ${NGINX_FILE}`)).toBe("root 644\nroot 644");
		expect((await host.try(asDaemon(`echo x >>${HAPROXY_FILE}`))).code).not.toBe(0);
		expect((await host.try(asDaemon(`rm -f ${NGINX_FILE}`))).code).not.toBe(0);
	});

	test("takes a new configuration at a reload, and a service by a reload of HAProxy", async () => {
		const { worker } = await host.live();
		await host.startApplication(9011);
		await host.write("/etc/solistend/solistend.yaml", configuration(`${WEB}\n${API}`));
		await host.sh("systemctl reload solistend");
		await eventually("HAProxy has the service", async () => (await host.live()).servers.get("api")?.get("s1"), {
			timeoutMs: 20_000,
		});
		expect((await host.live()).worker).not.toBe(worker);
		await eventually("both are applied", areApplied, { timeoutMs: 20_000 });
		await eventually("the manager knows that it is over", isActive);
	});

	test("logs JSON with the priorities of the journal", async () => {
		const lines = await host.sh("journalctl -q -u solistend -o json --output-fields=PRIORITY,MESSAGE,_PID");
		const pid = await host.show("solistend", "MainPID");
		const own = lines
			.split("\n")
			.map((line): Record<string, string> => JSON.parse(line))
			.filter((entry) => entry["_PID"] === pid);
		expect(own.length).toBeGreaterThan(3);
		for (const { PRIORITY, MESSAGE = "" } of own) {
			expect(PRIORITY).toBe({ info: "6", warn: "4", error: "3" }[String(JSON.parse(MESSAGE).level)]);
		}
	});
});

describe("what the daemon's user can't do", () => {
	test("is to have root take a directive that a drop-in may not have", async () => {
		const before = await host.sh(`cat ${HAPROXY_FILE}`);
		// by a template of one's own, which the daemon follows and root does not
		const own = "/etc/solistend/templates/haproxy-backends.cfg.hbs";
		await host.sh(
			`mkdir -p /etc/solistend/templates && sed 's/^backend .*/&\\n\\tlog 127.0.0.1 local0/' /usr/lib/solistend/templates/haproxy-backends.cfg.hbs >${own}`,
		);
		await host.sh("systemctl reload solistend");
		const { why } = await eventually("it is refused", async () => {
			const { edge } = await status();
			return edge.state === "failed" && edge;
		});
		expect(why).toMatch(/refused the new file: line \d+: "log" is no directive of a drop-in/);
		await eventually("its line says so", async () => {
			return (await host.show("solistend", "StatusText")).startsWith("proxy edge is failed");
		});
		expect(await host.sh(`cat ${HAPROXY_FILE}`)).toBe(before);
		await host.sh(`rm ${own} && systemctl reload solistend`);
		await eventually("both are applied", areApplied, { timeoutMs: 20_000 });

		// by a file that was not the daemon's to write
		const id = "00000000-0000-4000-8000-000000000000";
		const candidate = JSON.stringify({ id, text: "global\n\tuser root\n", reload: true, unconfirmed: false });
		await host.write("/run/candidate.json", candidate);
		await host.sh("chmod 644 /run/candidate.json");
		const file = "/var/lib/solistend/edge/candidate.json";
		await host.sh(asDaemon(`cat /run/candidate.json >${file}`));
		const started = await host.try(asDaemon("systemctl start --no-ask-password solistend-apply@edge"));
		expect(started.code).not.toBe(0);
		await untilLogged("solistend-apply@edge", '"global" is outside of a backend');

		await host.sh(asDaemon(`rm ${file}; ln -s /etc/shadow ${file}`));
		expect((await host.try(asDaemon("systemctl start --no-ask-password solistend-apply@edge"))).code).not.toBe(0);
		await untilLogged("solistend-apply@edge", "ELOOP");
		await host.sh(`rm ${file} && systemctl reset-failed`);
	});

	test("is to start, stop or change any other unit", async () => {
		for (const words of [
			"start app-9001.service",
			"restart haproxy",
			"stop nginx",
			"stop solistend-apply@edge",
			"restart solistend-apply@edge",
			"start solistend-prepare",
			"daemon-reload",
			"enable solistend-apply@edge",
			"set-property solistend.service CPUWeight=1",
		]) {
			const { code, output } = await host.try(asDaemon(`systemctl --no-ask-password ${words}`));
			expect([words, code, output]).toEqual([
				words,
				expect.not.stringMatching(/^0$/),
				expect.stringMatching(/denied|authentication/i),
			]);
			expect(code).not.toBe(0);
		}
		expect((await host.try(asDaemon("systemd-run --no-ask-password id"))).code).not.toBe(0);
	});
});

describe("a daemon that ends", () => {
	test("by SIGSTOP is started anew by the watchdog, and nobody notices", async () => {
		await using load = await host.startLoad("http://127.0.0.1:8080/", 200);
		const pid = await host.show("solistend", "MainPID");
		await host.sh(`kill -STOP ${pid}`);
		await eventually(
			"another one is ready",
			async () => {
				const [next, state] = [await host.show("solistend", "MainPID"), await host.show("solistend", "ActiveState")];
				return next !== pid && next !== "0" && state === "active";
			},
			{ timeoutMs: 45_000 },
		);
		expect(await journalOf("solistend")).toMatch(/[Ww]atchdog timeout/);
		const { asked, failed, troubles } = await load.end();
		expect([failed, troubles]).toEqual([0, {}]);
		expect(asked).toBeGreaterThan(100);
	}, 60_000);

	test(
		`by SIGKILL, ${KILLS} times at random moments, costs no request and no reload`,
		async () => {
			await eventually("both are applied", areApplied, { timeoutMs: 20_000 });
			const before = { ...(await host.live()), nginx: await nginxWorkers() };
			const files = await host.sh(`cat ${HAPROXY_FILE} ${NGINX_FILE}`);
			await using load = await host.startLoad("http://127.0.0.1:8080/", 500);
			let last = "0";
			for (let kill = 0; kill < KILLS; kill++) {
				last = await eventually(
					"another one runs",
					async () => {
						const pid = await host.show("solistend", "MainPID");
						return pid !== "0" && pid !== last && pid;
					},
					{ timeoutMs: 30_000 },
				);
				// In its first instructions, and in between; every other time once it works.
				if (kill % 2 === 1) await eventually("it is ready", isActive, { timeoutMs: 60_000 });
				await pause(Math.random() * 1000);
				await host.try(`kill -KILL ${last}`);
			}
			await eventually(
				"it is ready once more",
				async () => {
					return (await isActive()) && areApplied();
				},
				{ timeoutMs: 30_000 },
			);
			const { asked, failed, troubles } = await load.end();
			expect([failed, troubles]).toEqual([0, {}]);
			expect(asked).toBeGreaterThan(1000);
			const after = { ...(await host.live()), nginx: await nginxWorkers() };
			expect([after.worker, after.nginx]).toEqual([before.worker, before.nginx]);
			expect(await host.sh(`cat ${HAPROXY_FILE} ${NGINX_FILE}`)).toBe(files);
		},
		60_000 + KILLS * 10_000,
	);

	test(
		"by SIGKILL, again and again while applications are restarted, costs only what an application had taken and not served",
		async () => {
			await eventually("both are applied", areApplied, { timeoutMs: 20_000 });
			/** Requests that a server had taken, and ended without an answer. */
			const takenAndLost = async () => {
				const words = "journalctl --sync && journalctl -q -o cat -u haproxy | grep -c ' 502 .* SH-- ' || true";
				return Number(await host.sh(words));
			};
			const areReady = async () => {
				const servers = [...((await host.live()).servers.get("web")?.values() ?? [])];
				return servers.filter(({ admin }) => admin === "ready").length === 3;
			};
			const lostBefore = await takenAndLost();
			await using load = await host.startLoad("http://127.0.0.1:8080/", 500);
			let isOver = false;
			const killing = async () => {
				while (!isOver) {
					await eventually("it is ready", isActive, { timeoutMs: 60_000 });
					await pause(Math.random() * 1000);
					await host.try("systemctl kill --kill-whom=main --signal=KILL solistend");
				}
			};
			const killed = killing();
			try {
				for (let round = 0; round < KILLS / 15; round++) {
					for (const port of [9001, 9002, 9003]) {
						await host.sh(`systemctl restart app-${port}`);
						await eventually("all are in the pool", areReady, { timeoutMs: 60_000 });
					}
				}
			} finally {
				isOver = true;
				await killed;
			}
			await eventually("it is ready once more", async () => (await isActive()) && areApplied(), { timeoutMs: 60_000 });
			const { asked, failed, troubles } = await load.end();
			// An application that is told to stop while nobody sees it is not drained, and closes with connections in its queue:
			// what HAProxy sent it on these is lost, and may not be sent to another one. Nothing else is.
			const lost = (await takenAndLost()) - lostBefore;
			expect([failed, troubles]).toEqual([lost, lost === 0 ? {} : { "status 502": lost }]);
			expect(lost).toBeLessThan(asked / 200);
			expect(asked).toBeGreaterThan(1000);
		},
		60_000 + KILLS * 10_000,
	);

	test("by a stop leaves HAProxy with its own checks on", async () => {
		const checks = async () => [...((await host.live()).servers.get("web")?.values() ?? [])].map((one) => one.checks);
		await eventually("they are off", async () => (await checks()).every((state) => state === "off"));
		await host.sh("systemctl stop solistend");
		expect((await checks()).every((state) => state === "on")).toBe(true);
		expect(await answers("http://127.0.0.1:8080/")).toBe(true);
	});

	test("does not bring back who was there before a boot", async () => {
		expect(await host.sh(`cat ${HAPROXY_FILE}`)).toMatch(/:9001 weight 100 check$/m);
		await host.sh("systemctl stop haproxy solistend-prepare && systemctl start haproxy");
		const { servers } = await host.live();
		expect([...(servers.get("web")?.values() ?? [])].every(({ admin }) => admin === "maint")).toBe(true);
		await host.sh("systemctl start solistend");
		await eventually("HAProxy serves", () => answers("http://127.0.0.1:8080/"));
	});
});
