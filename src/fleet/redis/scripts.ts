/**
 * What changes a host's keys in Redis, each at once or not at all: for Redis 6.2 and later, which replicates what a script
 * did and not the script, so that it may ask for the time. Whatever may be refused for want of memory comes first: a
 * refusal leaves all as it was. Commands stand one a line: a missing right is named by its line. Pure.
 *
 * All take the keys `[host, leases, changes]`.
 */

import { ENTRY, FIELDS } from "./keys.js";
import { type Script, script } from "./script.js";

const NOW = `
-- milliseconds of Redis' own clock
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** ARGV: 1 host, 2 incarnation, 3 sequence before, 4 lease, 5 time until the hash expires. */
const IS_OURS = `
-- what is stored must be what this incarnation wrote last
local stored = redis.call('HMGET', KEYS[1], '${FIELDS.incarnation}', '${FIELDS.sequence}')
if not stored[1] then return {'gone'} end
if (tonumber(stored[1]) or 0) > tonumber(ARGV[2]) then return {'fenced'} end
if stored[1] ~= ARGV[2] or stored[2] ~= ARGV[3] then return {'behind'} end
`;

const RENEW = `
-- it lives for one more lease
redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
`;

/** An entry of the stream; the arguments are Lua. */
const entry = (length: string, incarnation: string, sequence: string, kind: string, payload?: string): string => {
	const head = `redis.call('XADD', KEYS[3], 'MAXLEN', '~', ${length}, '*', '${ENTRY.host}', ARGV[1], '${ENTRY.incarnation}', ${incarnation}`;
	const rest = `'${ENTRY.sequence}', ${sequence}, '${ENTRY.time}', string.format('%.0f', now), '${ENTRY.kind}', ${kind}`;
	return `${head}, ${rest}${payload === undefined ? "" : `, '${ENTRY.payload}', ${payload}`})`;
};

/**
 * Becomes the one that tells for a host. Refused while another one lives that has a better claim: a later daemon of the
 * same boot; one on another machine; and, for who was told off before, whoever told it off. What is stored may be older
 * than what this process wrote itself: a backup, then, and no rival. With the first claim of a process, what an earlier one
 * left stays where it may still be true: what it said of itself on this machine, and what it offered since this boot.
 *
 * ARGV: 1 host, 2 own incarnation so far (0: the first claim), 3 boot, 4 machine, 5 start, 6 lease, 7 time until the hash
 * expires, 8 length of the stream, 9 what it says of itself; then key and value of each offer. → `ok`, incarnation, all
 * fields with the first claim; or `refused`, `later` or `other`, rest of its lease.
 */
export const CLAIM: Script = script(`${NOW}
-- who tells for this host so far
local stored = redis.call('HMGET', KEYS[1], '${FIELDS.incarnation}', '${FIELDS.boot}', '${FIELDS.machine}', '${FIELDS.start}', '${FIELDS.about}')
local last = tonumber(stored[1] or 0) or 0
local ends = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0)
local first = ARGV[2] == '0'
local boot = stored[2] == ARGV[3]
local machine = boot or (ARGV[4] ~= '' and stored[3] == ARGV[4])
if last > tonumber(ARGV[2]) and ends > now then
	if boot then
		if (tonumber(stored[4]) or 0) > tonumber(ARGV[5]) then return {'refused', 'later', ends - now} end
	elseif not first or not machine then
		return {'refused', 'other', ends - now}
	end
end
-- grows with each claim, also where Redis lost what was stored
local incarnation = string.format('%.0f', math.max(last + 1, ARGV[2] + 1, now))
redis.call('ZADD', KEYS[2], now + ARGV[6], ARGV[1])
local about = ARGV[9]
if first and machine and stored[5] then about = stored[5] end
if not first or not boot then
	redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], '${FIELDS.incarnation}', incarnation, '${FIELDS.sequence}', 1, '${FIELDS.boot}', ARGV[3], '${FIELDS.machine}', ARGV[4], '${FIELDS.start}', ARGV[5], '${FIELDS.about}', about)
for i = 10, #ARGV, 2 do
	redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
${entry("ARGV[8]", "incarnation", "1", "'whole'")}
if not first then return {'ok', incarnation, {}} end
local all = redis.call('HGETALL', KEYS[1])
return {'ok', incarnation, all}
`);

/**
 * Changes some of what a host offers or says of itself.
 *
 * ARGV as in `IS_OURS`, then: 6 length of the stream, 7 sequence after, 8 kind, 9 payload (empty: none), 10 number of
 * fields that go; these; then key and value of each that is put. → `ok`, or why not.
 */
export const CHANGE: Script = script(`${IS_OURS}${NOW}${RENEW}
redis.call('HSET', KEYS[1], '${FIELDS.sequence}', ARGV[7])
local taken = tonumber(ARGV[10])
for i = 11 + taken, #ARGV, 2 do
	redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
for i = 11, 10 + taken do
	redis.call('HDEL', KEYS[1], ARGV[i])
end
if ARGV[9] == '' then
	${entry("ARGV[6]", "ARGV[2]", "ARGV[7]", "ARGV[8]")}
else
	${entry("ARGV[6]", "ARGV[2]", "ARGV[7]", "ARGV[8]", "ARGV[9]")}
end
return {'ok'}
`);

/** Says that a host lives. ARGV as in `IS_OURS`. → `ok`, or why not. */
export const RENEWAL: Script = script(`${IS_OURS}${NOW}${RENEW}
return {'ok'}
`);

/** Says that a host is no more, and forgets it. ARGV as in `IS_OURS`, then 6 length of the stream, 7 sequence after. */
export const BYE: Script = script(`${IS_OURS}${NOW}
${entry("ARGV[6]", "ARGV[2]", "ARGV[7]", "'bye'")}
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1])
return {'ok'}
`);
