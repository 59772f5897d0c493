import { expect, test } from "vitest";
import { dumpedFiles, optionsOf } from "../../../../src/cli/doctor/nginx-finding.js";

test.each([
	["nginx: master process /usr/sbin/nginx", []],
	["nginx: master process /usr/sbin/nginx -g daemon on; master_process on;", ["-g", "daemon on; master_process on;"]],
	[
		"nginx: master process nginx -e /a/error.log -c /a/own.conf -g daemon off; pid /a/pid; -p /a",
		["-e", "/a/error.log", "-c", "/a/own.conf", "-g", "daemon off; pid /a/pid;", "-p", "/a"],
	],
	["nginx: master process nginx -c/a/own.conf", ["-c", "/a/own.conf"]],
])("the options of %s are known", (title, options) => {
	expect(optionsOf(title)).toEqual(options);
});

test("files that are printed are each known once", () => {
	const file = (path: string) => `# configuration file ${path}:\nserver { # configuration file\n}\n\n`;
	expect(dumpedFiles(["/n.conf", "/a b", "/n.conf"].map(file).join(""))).toEqual(["/n.conf", "/a b"]);
});
