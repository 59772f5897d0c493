import { expect, test } from "vitest";
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
	const { worker, servers } = parseLive(answer());
	expect(worker).toBe("11968/1795475679");
	expect([...servers].map(([name, of]) => [name, Object.fromEntries(of)])).toEqual([
		["web", { "10.0.1.2:80": "10.0.1.2:80", "fd00::1:80": "fd00::1:80", nm: "127.0.0.1:99" }],
		["empty", {}],
	]);
	expect([...(parseLive(answer([])).servers.get("web") ?? [])]).toEqual([]);
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
	const declared = new Map([
		[
			"web",
			new Map([
				["10.0.1.2:80", "10.0.1.2:80"],
				["fd00::1:80", "fd00::2:80"],
				["nm", undefined],
				["new", "10.0.0.9:80"],
			]),
		],
		["gone", new Map([["x", "10.0.0.1:80"]])],
		["empty", new Map()],
	]);
	expect(missingFrom(servers, declared)).toEqual(["web/fd00::1:80", "web/new", "gone"]);
	expect(missingFrom(servers, new Map())).toEqual([]);
});
