import { describe, expect, test } from "vitest";
import { absolute, loadedBy, loadMend, loads } from "../../../../src/cli/doctor/haproxy-command.js";

const asItIs = (path: string) => path;

describe("the files that HAProxy was started with", () => {
	test.each([
		["one", "haproxy -W -f a.cfg -db", ["a.cfg"]],
		["several, after a reload", "haproxy -sf 12 13 -x sockpair@3 -W -f /a.cfg -f /d", ["/a.cfg", "/d"]],
		["those at the end", "haproxy -f a.cfg -- b.cfg -f", ["a.cfg", "b.cfg", "-f"]],
		["none", "haproxy -W -f", []],
	])("are %s", (_, line, files) => {
		expect(loadedBy(line.split(" "))).toEqual(files);
	});

	test("are the output, a folder that has it, or a link to one of the two", () => {
		const real = (path: string) => path.replace("/link", "/d");
		expect(loads(["/own.cfg", "/d/edge.cfg"], "/d/edge.cfg", real)).toBe(true);
		expect(loads(["/own.cfg", "/d"], "/d/edge.cfg", real)).toBe(true);
		expect(loads(["/link"], "/d/edge.cfg", real)).toBe(true);
		expect(loads(["/link/edge.cfg"], "/d/edge.cfg", real)).toBe(true);
	});

	test("are not the output where the folder is another one, or HAProxy passes over the file in it", () => {
		expect(loads(["/own.cfg", "/", "/d/e"], "/d/edge.cfg", asItIs)).toBe(false);
		expect(loads(["/d"], "/d/edge.conf", asItIs)).toBe(false);
		expect(loads(["/d"], "/d/.edge.cfg", asItIs)).toBe(false);
		expect(loads([], "/d/edge.cfg", asItIs)).toBe(false);
	});

	test("are unknown only where one is relative and nobody knows to what", () => {
		expect(absolute(["a.cfg", "/b.cfg"], "/etc")).toEqual(["/etc/a.cfg", "/b.cfg"]);
		expect(absolute(["/b.cfg"], undefined)).toEqual(["/b.cfg"]);
		expect(absolute(["a.cfg"], undefined)).toBeUndefined();
	});
});

describe("what makes a unit load the output", () => {
	const command = (written: string, extra?: string) => ({
		written: written.split(" "),
		words: [],
		environment: new Map(extra === undefined ? [] : [["EXTRAOPTS", extra]]),
	});

	test("is the line of the quick start, with what the unit has already", () => {
		expect(
			loadMend(
				"haproxy.service",
				command("haproxy -Ws -f $CONFIG $EXTRAOPTS", "-S /run/haproxy-master.sock"),
				"/var/lib/solistend-live/haproxy/edge.cfg",
			),
		).toBe(
			'write EXTRAOPTS="-S /run/haproxy-master.sock -f /var/lib/solistend-live/haproxy" into /etc/default/haproxy; systemctl restart haproxy',
		);
	});

	test("names the file alone where the folder may have others", () => {
		const mend = loadMend("haproxy.service", command("haproxy $EXTRAOPTS"), "/etc/haproxy/edge.cfg");
		expect(mend).toContain('EXTRAOPTS="-f /etc/haproxy/edge.cfg"');
	});

	test("is another command where the unit takes no options from elsewhere", () => {
		expect(loadMend("lb.service", command("haproxy -f /a.cfg"), "/d/edge.cfg")).toBe(
			"systemctl edit lb.service: add -f /d/edge.cfg to its ExecStart; systemctl restart lb",
		);
	});
});
