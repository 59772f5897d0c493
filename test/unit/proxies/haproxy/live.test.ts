import { expect, test } from "vitest";
import { parseDeclared } from "../../../../src/proxies/haproxy/declared.js";
import { missingFrom, parseLive } from "../../../../src/proxies/haproxy/live.js";

/** As HAProxy 2.6.12 answers, shortened where nothing is read. */
const INFO = "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: 11968\nUptime: 0d 0h00m01s\nStart_time_sec: 1795475679\n";
const HEADER =
	"# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port";
const ROWS = [
	"3 web 1 10.0.1.2:80 10.0.1.2 2 0 100 100 1 1 0 2 0 0 0 0 - 80 - 0 0 - - 0",
	"3 web 2 fd00::1:80 fd00::1 2 0 7 7 1 1 0 2 0 0 0 0 - 80 - 0 0 - - 0",
	"3 web 3 nm 127.0.0.1 2 0 1 1 1 1 0 2 0 0 0 0 localhost 99 - 0 0 - - 0",
];
const answer = (rows: readonly string[] = ROWS) =>
	`${INFO}\n# name\nweb\nempty\n\n1\n${[HEADER, ...rows].join("\n")}\n\n`;

test("the live state is read from the three answers", () => {
	const { worker, version, servers } = parseLive(answer());
	expect({ worker, version }).toEqual({ worker: "11968/1795475679", version: [2, 6] });
	const plain = { admin: "ready", running: true, checks: "none" };
	expect([...servers].map(([name, of]) => [name, Object.fromEntries(of)])).toEqual([
		[
			"web",
			{
				"10.0.1.2:80": { ...plain, address: "10.0.1.2:80", weight: 100 },
				"fd00::1:80": { ...plain, address: "fd00::1:80", weight: 7 },
				nm: { ...plain, address: "127.0.0.1:99", weight: 1 },
			},
		],
		["empty", {}],
	]);
	expect([...(parseLive(answer([])).servers.get("web") ?? [])]).toEqual([]);
});

/** As HAProxy 2.6.12 shows them. */
test.each([
	["disabled in the file", "2 web 2 s2 127.0.0.1 0 5 100 100 1 1 0 0 8 0", { admin: "maint", running: false }],
	["ready after that", "2 web 2 s2 10.0.0.2 2 4 50 100 0 1 0 0 8 0", { admin: "ready", running: true, weight: 50 }],
	["drained", "2 web 1 s1 10.0.0.1 2 8 100 100 0 1 0 2 0 0", { admin: "drain", checks: "none" }],
	["checked", "2 web 3 s3 10.0.0.3 2 0 100 100 6 6 3 4 6 0", { admin: "ready", checks: "on" }],
	["checked, free", "2 web 3 s3 10.0.0.3 0 5 100 100 6 6 3 0 14 0", { admin: "maint", checks: "on" }],
	["in with its checks paused", "2 web 3 s3 10.0.0.3 2 4 100 100 6 6 3 0 14 0", { admin: "ready", checks: "paused" }],
	["with its checks switched off", "2 web 3 s3 10.0.0.3 2 0 100 100 6 6 3 4 2 0", { checks: "off" }],
	["down by a check", "2 web 3 s3 10.0.0.3 0 0 100 100 6 6 3 0 6 0", { admin: "ready", running: false }],
])("a server that is %s", (_, row, expected) => {
	const { servers } = parseLive(answer([`${row} 0 0 - 80 - 0 0 - - 0`]));
	expect([...(servers.get("web") ?? [])][0]?.[1]).toMatchObject(expected);
});

test.each([
	["Permission denied\n\n\n", 'cannot read HAProxy\'s answer to "show backend"'],
	[answer().replace("\n1\n", "\n2\n"), 'cannot read HAProxy\'s answer to "show servers state": it says "2"'],
	[answer().replace("Pid: 11968", "Pid: ?"), 'cannot read HAProxy\'s answer to "show info"'],
	["", "cannot read HAProxy's answer"],
])("an answer that is something else is an error: %#", (text, message) => {
	expect(() => parseLive(text)).toThrow(message);
});

test("only what the file declares is missed", () => {
	const { servers } = parseLive(answer());
	const { backends } = parseDeclared(
		"backend web\nserver nm x:1\nserver new 10.0.0.9:80\nbackend gone\nserver x y:1\nbackend empty",
	);
	expect(missingFrom(servers, backends)).toEqual(["web/new", "gone"]);
	expect(missingFrom(servers, new Map())).toEqual([]);
});
