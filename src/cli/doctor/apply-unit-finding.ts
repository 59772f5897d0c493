/** What doctor says of the unit by which root puts a proxy's file in place: it has to be there, and the daemon's to start. */

import type { Finding } from "../finding.js";
import type { DaemonUser } from "./daemon-user.js";
import { showUnit } from "./unit.js";

/** None where there is no systemd to ask, or only a user who does not know what the daemon's may. */
export async function applyUnitFindings(name: string, proxy: string, user: DaemonUser): Promise<Finding[]> {
	if (user.unit === undefined) return [];
	const unit = `solistend-apply@${proxy}.service`;
	const why = "no file is put in place";
	if ((await showUnit(unit)) === undefined) {
		const mend = "install solistend's units: see the quick start";
		return [{ name, state: "failed", detail: `there is no ${unit}: ${why} (${mend})` }];
	}
	// Root needs nobody's leave.
	if (user.uid !== 0 && (await showUnit("polkit.service")) === undefined) {
		const detail = `user ${user.name} may not start ${unit}, since there is no polkit to let it: ${why} (apt install polkitd)`;
		return [{ name, state: "failed", detail }];
	}
	return [{ name, state: "ok", detail: unit }];
}
