/** How far the stream of changes reaches, by which who follows it knows whether something was missed. */

import { z } from "zod";
import type { Link } from "./connect.js";
import type { Keys } from "./keys.js";
import { script } from "./script.js";

/** Says which key is of another type, since Redis does not; any other error is left to the command that follows. */
export const WRONG_TYPE = `
local function wrongType(reply, key)
	if type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE') then
		return redis.error_reply('WRONGTYPE at key ' .. key)
	end
end`;

/** Key: the stream. What it holds from and to; nothing when it is not there. */
const REACH = script(`
${WRONG_TYPE}
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if info.err then
	if string.find(info.err, 'no such key') then return {'0-0', ''} end
	local wrong = wrongType(info, KEYS[1])
	if wrong then return wrong end
	-- asked once more, unprotected: that error has a line, by which the command is named
	redis.call('XINFO', 'STREAM', KEYS[1])
end
local last, first = '0-0', ''
for i = 1, #info, 2 do
	if info[i] == 'last-generated-id' then last = info[i + 1] end
	if info[i] == 'first-entry' and info[i + 1] then first = info[i + 1][1] end
end
return {last, first}
`);

const LAST_AND_FIRST = z.tuple([z.string(), z.string()]);

/** The id of the newest entry that the stream ever had, and of the oldest that it has; absent: it has none. */
export interface Reach {
	readonly last: string;
	readonly first: string | undefined;
}

export async function askReach(link: Link, keys: Keys): Promise<Reach> {
	const [last, first] = LAST_AND_FIRST.parse(await link.run(REACH, [keys.changes], []));
	return { last, first: first === "" ? undefined : first };
}
