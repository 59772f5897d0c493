import { expect, test } from "vitest";
import { isSealed } from "../../../../src/cli/doctor/output-finding.js";

const unit = (ProtectSystem: string, ReadWritePaths = "") =>
	new Map([
		["ProtectSystem", [ProtectSystem]],
		["ReadWritePaths", [ReadWritePaths]],
	]);

test.each([
	["/etc/haproxy", unit("strict"), true],
	["/var/lib/solistend-live", unit("strict"), true],
	["/var/lib/solistend", unit("strict"), false],
	["/var/lib/solistend/edge", unit("strict"), false],
	["/etc/haproxy/live", unit("strict", "/srv -/etc/haproxy/"), false],
	["/etc/haproxy2", unit("strict", "/etc/haproxy"), true],
	["/anywhere", unit("strict", "/"), false],
	["/etc/haproxy", unit("no"), false],
])("of %s a unit knows whether it is read only to it", (folder, properties, isReadOnly) => {
	expect(isSealed(folder, properties)).toBe(isReadOnly);
});
