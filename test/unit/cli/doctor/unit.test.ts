import { describe, expect, test } from "vitest";
import { parseCommand, parseProperties } from "../../../../src/cli/doctor/unit.js";

/** As systemd 252 shows Debian's haproxy.service with the package's drop-in. */
const SHOWN = String.raw`ExecStart={ path=/usr/sbin/haproxy ; argv[]=/usr/sbin/haproxy -Ws -f $CONFIG -p $PIDFILE $EXTRAOPTS ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
Environment=CONFIG=/etc/haproxy/haproxy.cfg PIDFILE=/run/haproxy.pid "EXTRAOPTS=-S /run/haproxy-master.sock -f /var/lib/solistend-live/haproxy" "A=b\"c"
EnvironmentFiles=/etc/default/haproxy (ignore_errors=yes)
EnvironmentFiles=/etc/sysconfig/haproxy (ignore_errors=yes)
LoadState=loaded`;
const properties = parseProperties(SHOWN);

test("properties are known by name, with each of their lines", () => {
	expect(properties.get("LoadState")).toEqual(["loaded"]);
	expect(properties.get("EnvironmentFiles")).toHaveLength(2);
});

describe("the command of a unit", () => {
	test("has its variables' values in their places", () => {
		const command = parseCommand(properties, []);
		expect(command?.words.join(" ")).toBe(
			"/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock -f /var/lib/solistend-live/haproxy",
		);
		expect(command?.written).toContain("$EXTRAOPTS");
		expect(command?.environment.get("A")).toBe('b"c');
	});

	test("goes by what the environment files say, the last one first", () => {
		const command = parseCommand(properties, [
			'# EXTRAOPTS="-n 1"\nEXTRAOPTS="-S /run/m -f \'/a b\'"\n',
			" CONFIG = /overtaken.cfg\n;CONFIG=/no.cfg\nCONFIG=/own.cfg",
		]);
		expect(command?.words).toEqual([
			...["/usr/sbin/haproxy", "-Ws", "-f", "/own.cfg", "-p", "/run/haproxy.pid"],
			...["-S", "/run/m", "-f", "/a b"],
		]);
	});

	test("keeps what braces stand for in one word, and nothing where there is no value", () => {
		// biome-ignore lint/suspicious/noTemplateCurlyInString: systemd's way to write a variable
		const command = "argv[]=/h -f ${DIR}/a.cfg $NONE";
		const shown = `ExecStart={ path=/h ; ${command} ; ignore_errors=no ; }\nEnvironment="DIR=/a b"`;
		expect(parseCommand(parseProperties(shown), [])?.words).toEqual(["/h", "-f", "/a b/a.cfg"]);
	});

	test("is none where a unit has none", () => {
		expect(parseCommand(parseProperties("LoadState=loaded"), [])).toBeUndefined();
	});
});
