-- Decides one batch of one client: applies its refunds and its debts, and grants its calls.

-- KEYS[1] holds the buckets of the limiter, KEYS[2] the last reply to this client.
-- ARGV: the identity of the limiter (layout and limits), the batch (see wire.rs), and for how many
-- seconds to keep KEYS[1] and KEYS[2]. Returns a reply (see wire.rs), or an error that begins with
-- `OPENLIMIT` (see problem.rs).

-- Times are microseconds of the server's clock. Levels, weights and waits are nanoseconds of a
-- limit's rate (see `scale`).

-- script.rs unrolls this text for a number of limits: lines that end in `--*` are repeated together
-- with 1, 2, .. in place of `$`, and what stands in double braces becomes a list. Lines that end in
-- `--resets` are only for limits that reset, those that end in `--leaks` only for the others, and
-- those that end in `--shares` only for shares. It strips lines that begin with two dashes and a
-- space, so comments cost nothing. For many limits, variables such as `level$` are entries of
-- tables (`level[1]`), so they need a value where they are declared.

-- # The rule: GCRA on the server's clock
-- Each limit is a leaky bucket. `level` is how full it is, and 1 ns of it leaks in 1 ns. A call of
-- weight w fits as soon as level + w <= fit, where `fit` is the burst less the jitter. So it has to
-- wait for level + w - fit. A call with w > fit waits for an empty bucket, and then for what the
-- burst does not cover of w and `longest_pause`, which is the jitter unless the provider counts in
-- windows. `rested` is for how long the bucket has been empty. If
-- the call is larger than the burst, it leaves a debt that later calls wait for. All of that is
-- timed by the server's clock, so clients whose clocks differ agree.

-- A call is granted at once, for a later moment, and the client sleeps until then. `due` is the
-- time from now until that moment: the longest wait that any of the limits asks for. Every limit is
-- charged as of that moment. A bucket whose level is below `due` is empty before then, and what
-- could leak while it is empty is lost. So such a level is first raised to `due`, and then the
-- weight is added.

-- Example in ms, with a burst of 200 and a fit of 180. Request level 180, token level 0. A call
-- weighs 100 in requests and 180 in tokens. Requests ask for 180 + 100 - 180 = 100, tokens for 0.
-- So it is granted for 100, and both levels become 280. If tokens were charged as of now, their
-- level would be 180, and 80 when the call departs. A second call, of 100 in tokens alone, would be
-- granted for that same moment: 280 ms of tokens at once, where the burst is 200.

-- # Refunds
-- A refund of a charge may not exceed the lowest level just before any later charge, and not the
-- level now (`low_water.rs` derives that). So those levels are kept, as a limiter in memory keeps
-- them: as a stack of pairs. A pair has the number of a charge (`top`) and the level just before it
-- (`low`). The lowest level after charge c is the `low` of the first pair whose `top` is larger
-- than c. So a pair that is not lower than a later one says nothing, and is removed. A refund
-- lowers the levels after its charge by as much.

-- Example: just before the charges 5 to 8 the levels are 10, 40, 20, 50. The 20 removes the 40, and
-- the stack is (5, 10), (7, 20), (8, 50). A refund of charge 6 gives back at most 20. After 15 of
-- it were given back, the stack is (5, 5), (7, 5), (8, 35).

-- The pair of the last charge is not on the stack (`top$`, `low$`). It goes there when the next
-- charge comes.

-- While a bucket fills, each charge adds a pair. Beyond MOST_PAIRS the stack is thinned out: a pair
-- that is hardly higher than the one before it gives its range to that one. Refunds of those
-- charges are then bounded a little too low, by one part in MOST_PAIRS / 2 of what the stack spans.

-- Charges are numbered from the moment on at which the state began, in microseconds. So no charge
-- of an earlier state has the number of a later one, as long as there are less than a million a
-- second. Nothing is known of those, and nothing of them is given back.

-- # A state that was lost
-- `epoch` is when this state began, empty. A client that has seen an earlier state knows what
-- should have been in the bucket at the epoch: its seen_level, less what leaked between its last
-- reply and the epoch. The largest such amount of all clients counts. `idle` is how much could have
-- leaked since the epoch and did not, because the bucket was empty. So much of the amount is gone
-- by now. The rest, if any, is added to the level, and `idle` is set to the whole amount, since the
-- level now accounts for all of it. So the next client adds only what it knows beyond that.

-- Example: by client A's reply 100 should have been there. It comes when idle is 30, so it adds 70,
-- and idle becomes 100. All of that leaks, and the bucket is empty for 20 more: idle is 120. By
-- client B's reply it was 150, so it adds 30. Check: 150 at the epoch, of which 30 + 70 + 20
-- leaked, leaves 30.

-- The client that comes first does not know of grants to others after its last reply. Only those
-- can be granted twice.

-- # The line
-- Once a call is granted it is in the buckets, and what is given back until it departs counts only
-- up to the level just before it. So a call that would have to wait for more than two look-aheads
-- of its client is not granted yet. Its client gets a place in the `line`, and asks again when the
-- call is that near. Whatever is given back until then brings that moment forward.

-- While there is a line, only the first client in it is granted calls. Others that ask for calls
-- join it at the end. So large calls are not overtaken again and again. While others wait, a turn
-- is one call, or as many as fit into a look-ahead or a quarter of the burst. Then the client has
-- to join the line again. So clients take turns, whatever they ask for and however often they ask.

-- A client asks again in time, or loses its place. If it wants no more calls, its next batch has
-- none, and it leaves the line. `first_due` is when the call of the first client was due when it
-- asked last. Those behind it wait for longer: until those in between have had their turns, too. A
-- turn `takes` as long as its first call fills the slowest limit at least. A quarter of that
-- counts, since turns may fill different limits. So a client asks a few times while it moves up,
-- and not after each turn. If all places are taken, a client asks again, too, and joins once there
-- is room.

-- # The shares of calls below a priority
-- If a part of every limit is kept for some priorities, each limit has a second bucket for the
-- calls below: their share. It is one more limit, and calls above weigh nothing in it.

-- Calls of a client depart in order, but its calls above do not wait for those below. So `ahead` is
-- where its last call above lies, and `below.ahead` where its last call below does.

-- A call that waits for its share alone is not granted beyond the look-ahead of its client. The
-- limits are charged as of the moment of each grant, so calls above would have to wait until then.
-- Its client asks again a look-ahead before the share allows it. Calls behind it in the batch are
-- not granted either. The client asks for those above without it.

-- Meanwhile small calls of other clients could fill the share again and again. So the client whose
-- first call below was not granted has a claim, until `claim_ends`: a while after it asks again.
-- Until then no call below of another client is granted. Others ask again at about the same time.
-- The claim ends when one of its calls below is granted. Only the first call below in a batch can
-- get it. So a client that was served, and asks for more than fits, leaves the next claim to
-- others, and they take turns. `claim_of` is a hash of the client's key.

-- A client that dies, or whose last call below is cancelled, keeps the others back until its claim
-- ends. So a claim ends a look-ahead and GRACE after its call is due. Within that time a living
-- client asks for the call, however slow its round trips are, since it looks ahead by four of them
-- at least. If the call is due later, a living client asks again within LONGEST_PAUSE. So a dead
-- one keeps others back for LONGEST_PAUSE, two look-aheads and GRACE at most: 1.25 s by default.
-- With a shorter pause, every client that waits would send more batches.

-- # What a process took alone
-- A client whose process decided by itself while it could not reach the server sends what it took
-- (`taken`). It owes that, less what the bucket stood idle for since it saw it last: so much of the
-- rate nobody used. `alone.rs` says why that has a lower bound (`least`), too. What one process
-- took out of the idle time is not idle any more for the next.

-- If it went alone in the state that was lost, others may have seen more of that one. So its
-- `old_epoch` is kept, and how idle it can have been at its end (`old`): what a client saw last,
-- and the time from then on, less what was in the bucket. Of all clients, the least of that counts.

-- Else the bucket was `full` for so long after it went alone, and counts as idle from then on: also
-- before the epoch, where `idle` is less than zero. If another client then knows that more should
-- have been there at the epoch, that is added, as for any lost state.

-- # A rate that was cut
-- After a refusal the rate of a limit is halved, and climbs back (`climb.rs`). Clients let their
-- calls weigh more meanwhile, so nothing here depends on it. But they have to agree on the climb:
-- the state keeps when it `ends`, its `span`, and the last charge before the `cut`. A client names
-- the charge that was refused. So each crowd of calls cuts the rate once, whoever is refused. The
-- `rate` that the provider allows is kept for the clients, too.

-- # A quota that is used up
-- The state keeps the end of a hold, `held`. It is negative while a quota is used up. Then the hold
-- does not just end: the first call that is granted after it is the probe of all clients, and the
-- hold begins again, for as long as its response is waited for (PROBE, in microseconds). A client
-- that knows the response ends the hold, or prolongs it.

-- # A hold of one limit
-- A refusal may name a limit. Then the state keeps until when that one is `shut`: its bucket does
-- not leak, and calls that take from it are not granted, nor those behind them in the batch.
-- Nothing is granted ahead of its end, so it may end early.

-- # A hold that ends early
-- Calls are granted for the end of a hold shortly before it, and charged as if it were over. So if
-- it ended early, what they fill would leak before they depart, and be granted to others, too. So
-- the state keeps the last end that calls were granted for (`booked`). No hold ends before that.

-- # What the provider says is left
-- A response says how much was left when its call was counted. All calls that were granted since
-- are missing from that, those of other clients included, and also those that have not departed
-- yet. So the state keeps the sum of all weights that were granted (`sum`, modulo FAR). A client
-- remembers it for each of its calls, and asks for a level (`raise`) as of the sum that it has seen
-- last (`seen_sum`). What was granted since is added here. Slots that were given back still count,
-- because nobody knows if a response came before or after them. So a level may be a little too
-- high.

-- # Limits that were updated
-- A program may change the rates and bursts of its limits. The identity then ends in `; update n`,
-- and of two identities the one with the larger n is newer. A client with newer limits gives them
-- to the state, if only amounts and bursts differ. A client with older ones is refused, and takes
-- them over (identity.rs). Levels are times of the rate, so an update leaves them as they are.

-- There is one exception. If a limit is counted in windows and an update raises its `fit`, its
-- level rises by as much, unless the bucket was empty for a period: see `change.rs` of `bucket`. So
-- the state keeps the last `fit` (`was_fit`).

-- # Limits that reset
-- Such a limit does not leak. Its levels and weights are amounts, and `fit` is the amount of a
-- window. The state keeps when the window ends that its level counts in (`till`, negative in the
-- place of `rested`), and the highest `fit` in it (`was_fit`), since the next client may have
-- another one, and an update may lower it. When the window is over, so much of the level is gone,
-- and what the windows since then allow. What is left is a debt. Nothing of the charges before can
-- be given back any more. A client sends the highest `fit` that it knows of, too (`window.back`), in
-- case that the state is lost.

-- The client knows the calendar. It sends when two windows in a row begin and end: that in which it
-- believes the server to be, and the next one. The server's clock decides which of them it is in.
-- So however wrong the clock of a client is, it does not move a reset. If the server is in neither,
-- no call that takes from the limit is granted, and the client asks again.

-- The end of a window stays, whatever clients say that have other rules of a time zone, and if the
-- clock is set back. A window that would be shorter than half of one by the next client's rules is
-- as much longer as a whole one. But an end beyond the next window is from a clock that was wrong.

-- No call is granted for a moment in the last `lead` microseconds before a reset, which is the
-- client's jitter, or after it. Nor is one if the window has no room for it. Calls behind it wait,
-- too, and the client asks again at the reset. A call that waits for a reset of its share gets no
-- claim, since all clients ask then.

-- # A reset
-- All buckets become as new. That counts as one charge, behind which nothing can be given back.

local spread = unpack
local max, min, pack, unpack, rep = math.max, math.min, struct.pack, struct.unpack, string.rep
local batch, at, below = ARGV[2], 0, {}
local seq, seen_seq, seen_at, seen_epoch, seen_charges, alone_for, alone_epoch, ahead, ahead_at, look_ahead, longest_pause, hold_until, hold_ends, exhausts, refunds, calls
seq, seen_seq, seen_at, seen_epoch, seen_charges, alone_for, alone_epoch, ahead, ahead_at, below.ahead, below.at, look_ahead, longest_pause, hold_until, hold_ends, exhausts, refunds, calls, at =
  unpack('<dddddddddddddddddd', batch)

-- A client has one batch in flight. It numbers them, and sends a batch again when it got no reply.
-- A batch that was decided already gets the same reply, and changes nothing. A batch with an
-- earlier number was delayed on the way while its repetition was decided: no call waits for its
-- reply. What else is there is no reply to this client. A reply has nine numbers at least, and the
-- first one, that of its batch, is a whole one.
local now, is_behind
do
  local stored = redis.pcall('GET', KEYS[2])
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
  if type(stored) == 'table' then
    return string.match(stored.err, '^WRONGTYPE') and redis.error_reply('OPENLIMIT reply type') or stored
  elseif stored then
    local last_seq = #stored >= 72 and unpack('<d', stored) or 0
    if last_seq == seq then return pack('<d', now) .. string.sub(stored, 9) end
    if not (last_seq > 0 and last_seq < seq and last_seq % 1 == 0) then return redis.error_reply('OPENLIMIT reply') end
    is_behind = last_seq < seen_seq
  end
end

-- FAR is `MOST` of `scale`: up to there sums are exact. It also stands for no bound. A client asks
-- again within LONGEST_PAUSE (ahead.rs), in nanoseconds. Its batch may take until GRACE after that
-- and two look-aheads, in microseconds.
local FAR, MOST_PAIRS, MOST_IN_LINE = 4503599627370496, 64, 256
local PROBE, LONGEST_PAUSE, GRACE = 60000000, 1000000000, 50000
local last, epoch, charges, in_line, first_due, held, booked = now, now, now, 0, 0, 0, 0
local old_epoch, claim_of, claim_ends = 0, 0, 0
local level$, idle$, rested$, was_fit$ = 0, 0, FAR, 0 --*
local ends$, span$, cut$, rate$, shut$, sum$, given$, late$, old$ = 0, 0, 0, 0, 0, 0, 0, 0, 0 --*
-- The stack has `size` numbers: the `top` and `low` of each pair, lowest first.
local top$, low$, stack$, size$ = 0, FAR, {}, 0 --*
-- Three numbers for each client in it: a hash of its key, when it loses its place, and how long its
-- turn takes.
local line = {}
-- Of the limits that reset. It also says if this client `updates` limits that are counted in
-- windows.
local window = {}
window.till$ = 0 --resets
-- After the identity the state has eight numbers of 8 bytes, seven for each limit, the stacks,
-- seven numbers for each limit, three, and the line.
local state = redis.call('GET', KEYS[1])
if state then
  local limits = ARGV[1]
  local begin, is_same, is_newer = #limits + 1, string.sub(state, 1, #limits) == limits, false
  if not is_same then
    local layout, theirs, rest = string.match(state, '^(openlimit %d+)\n([^\n]*)\n()')
    local function version(text) return tonumber(string.match(text, '; update (%d+)$') or 0) end
    -- What no update changes: all but amounts, bursts and the number of updates.
    local function kind(text)
      text = string.gsub(string.gsub(text, '; update %d+$', ''), '%(burst [%d.]+[^%d,)]+', '(')
      return (string.gsub('; ' .. text, '; %d+ ', '; '))
    end
    if layout == string.match(limits, '^[^\n]*') and #state >= rest + 63 then
      local ours = string.match(limits, '\n([^\n]*)\n$')
      is_newer = unpack('<d', state, rest + 56) == 0{{ + 1}} and version(ours) > version(theirs) and kind(ours) == kind(theirs)
      begin = rest
    end
  end
  local fixed = begin + 63{{ + 56}}
  local length, from, total = -1, fixed + 1
  if (is_same or is_newer) and #state >= fixed then
    last, epoch, charges, in_line, first_due, held, booked, total, {{level$, idle$, rested$, was_fit$, top$, low$, size$}} =
      unpack('<dddddddd{{ddddddd}}', state, begin)
    window.till$, rested$ = -rested$, FAR --resets
    length = fixed + 24 + 24 * in_line
    length = length + 8 * size$ + 56 --*
  end
  if #state == length then
    stack$, from = {unpack('<' .. rep('d', size$), state, from)}, from + 8 * size$ --*
    {{ends$, span$, cut$, rate$, shut$, sum$, old$}}, old_epoch, claim_of, claim_ends, from = unpack('<{{ddddddd}}ddd', state, from)
    for entry = 1, 3 * in_line do line[entry], from = unpack('<d', state, from) end
    -- A number that is none, or infinite, makes the sum of all so.
    total = total + last + epoch + charges + first_due + held + booked + old_epoch + claim_of + claim_ends
    total = total + level$ + idle$ + rested$ + was_fit$ + top$ + low$ + ends$ + span$ + cut$ + rate$ + shut$ + sum$ + old$ --*
    total = total + window.till$ --resets
    for place = 1, size$ do total = total + stack$[place] end --*
    for entry = 1, #line do total = total + line[entry] end
    if total - total ~= 0 then return redis.error_reply('OPENLIMIT layout ') end
    window.updates = is_newer and string.find(limits, ', counted in windows)', 1, true)
  else
    -- These are other limits, or another layout. Once such a state has drained, or was reset, and
    -- was not used for ten seconds, it says no more than an empty one, and this limiter takes the
    -- name over.
    local layout, theirs, rest = string.match(state, '^(openlimit %d+)\n([^\n]*)\n?()')
    local is_ours = layout == string.match(limits, '^[^\n]*')
    local count = is_ours and #state >= rest + 63 and unpack('<d', state, rest + 56) or 0
    -- Written like this so that NaN is an error, too.
    if is_same or not (count >= 1 and count <= (#state - rest - 63) / 56) then
      return redis.error_reply('OPENLIMIT layout ' .. (not is_ours and layout or ''))
    end
    local passed = now - unpack('<d', state, rest)
    local free_in = 10000000 - passed
    for limit = 0, count - 1 do
      local full, _, resets = unpack('<ddd', state, rest + 64 + 56 * limit)
      if resets >= 0 then full = math.ceil(full / 1000) - passed
      elseif full > 0 then full = -resets - now end
      free_in = max(free_in, full)
    end
    if not (free_in <= 0) then
      return redis.error_reply('OPENLIMIT limits ' .. string.format('%.0f ', min(FAR, free_in)) .. theirs)
    end
    last, epoch, charges, held, booked = now, now, now, 0, 0
    level$, idle$, rested$, was_fit$, top$, low$, size$ = 0, 0, FAR, 0, 0, FAR, 0 --*
    window.till$ = 0 --resets
  end
end

local is_exhausted, has_probe = held < 0, false
held = math.abs(held)

-- After the clock was set back nothing has leaked. From the next batch on it leaks as before. When
-- clients in line lose their places cannot be told any more, so a new line begins. The hold lasts
-- for as long as before. Nothing leaks during a hold.
if now < last then
  line, claim_ends, held, booked = {}, 0, max(0, held - last + now), max(0, booked - last + now)
  ends$, shut$ = max(0, ends$ - last + now), max(0, shut$ - last + now) --*
end
do
  local passed
  passed = max(0, now - max(last, held, shut$)) * 1000 --leaks
  if level$ > passed then level$ = level$ - passed --leaks
  else idle$, rested$, level$ = idle$ + passed - level$, min(FAR, rested$ + passed - level$), 0 end --leaks
end

-- So long an idle time is not exact, and says nothing any more. A new epoch begins with what is in
-- the buckets.
if max({{idle$}}) > FAR then
  epoch, charges = now, now
  idle$, top$, low$, size$ = level$, 0, FAR, 0 --*
end

-- Adds a pair to a stack, if there is one, and removes those that are not lower.
local function push(stack, size, top, low)
  if top == 0 then return size end
  while size > 0 and stack[size] >= low do size = size - 2 end
  stack[size + 1], stack[size + 2] = top, low
  return size + 2
end

-- Returns how much of `weight` can be given back of a charge. Lowers the levels after it by that.
local function give(stack, size, charge, weight)
  local before = size
  while before > 0 and stack[before - 1] > charge do before = before - 2 end
  if before == size then return weight end
  local given = min(weight, stack[before + 2])
  for later = before + 2, size, 2 do stack[later] = stack[later] - given end
  -- A level before it that is higher now says nothing any more.
  while before > 0 and stack[before] > stack[before + 2] do
    stack[before], before = stack[before + 2], before - 2
  end
  return given
end

-- Thins a stack out.
local function thin(stack, size)
  if size <= 2 * MOST_PAIRS then return size end
  local least, kept = (stack[size] - stack[2]) / (MOST_PAIRS / 2), 2
  for pair = 4, size, 2 do
    if stack[pair] - stack[kept] > least then kept = kept + 2; stack[kept] = stack[pair] end
    stack[kept - 1] = stack[pair - 1]
  end
  return kept
end

if hold_ends > 2 then
  charges, line, claim_ends, booked = charges + 1, {}, 0, 0
  level$, rested$, was_fit$, top$, low$, size$ = 0, FAR, 0, charges, 0, 0 --*
  ends$, span$, cut$, rate$ = 0, 0, charges, rate$ > 0 and 4294967296 or 0 --*
end

local debt$, raise$, fit$, burst$ = 0, 0, 0, 0 --*
do
  local seen_level$, taken$, least$, seen_idle$, seen_sum$, full$ = 0, 0, 0, 0, 0, 0 --*
  local since
  seen_level$, debt$, raise$, seen_sum$, taken$, least$, seen_idle$, full$, fit$, burst$, at = unpack('<dddddddddd', batch, at) --*
  window.from, window.to, window.next_to, window.lead$, window.back$, at = unpack('<ddddd', batch, at) --resets
  -- In windows, the burst is at least what leaks in a period.
  if window.updates and was_fit$ > 0 and fit$ > was_fit$ and rested$ < burst$ then --leaks
    level$, rested$ = min(FAR, level$ + fit$ - was_fit$), 0 --leaks
  end --leaks
  window.mean = (window.next_to - window.from) / 2 --resets
  if now >= window.to then --resets
    -- What the client says is of the window before.
    raise$, taken$, least$, seen_level$ = 0, 0, 0, max(0, seen_level$ - window.back$) --resets
    window.back$ = fit$ --resets
    window.from, window.to = window.to, window.next_to --resets
  end --resets
  if window.from <= now and now < window.to then --resets
    if window.till$ <= now then --resets
      window.gone = max(0, math.floor((window.from - window.till$) / window.mean + 0.5)) * fit$ + (was_fit$ > 0 and was_fit$ or fit$) --resets
      was_fit$ = 0 --resets
      level$, idle$ = max(0, level$ - window.gone), max(0, idle$ - window.gone) --resets
      window.till$ = window.to - window.till$ > window.mean / 2 and window.to or window.to + window.mean --resets
      if not window.is_new then charges, window.is_new = charges + 1, true end --resets
      top$, low$ = charges, 0 --resets
    elseif window.till$ > window.next_to then window.till$ = window.to end --resets
  end --resets
  if seen_epoch == epoch and seen_charges <= charges then
    -- Less than zero if this is an older copy of the state.
    since = (sum$ - seen_sum$ + FAR / 2) % FAR - FAR / 2 --*
    -- The client has seen none of this window.
    if seen_sum$ < 0 then since = 0 end --resets
    if raise$ > 0 then raise$ = max(0, raise$ + since) end --*
  end
  raise$ = min(raise$, fit$) --resets
  if seen_epoch > 0 and (seen_epoch ~= epoch or seen_charges > charges or is_behind) then
    -- The client has seen an earlier state. If it began when this one did, this is an older copy of
    -- it, from a replica that lagged: then a new epoch begins with what is in it. Its charges are
    -- behind those that the client has seen, unless others were granted as many since. But the last
    -- reply to this client is then older than the one that it has seen.
    if seen_epoch == epoch then
      epoch, charges = now, now
      idle$, top$, low$, size$ = level$, 0, FAR, 0 --*
    end
    local before = max(0, epoch - seen_at) * 1000
    -- By what the client has seen, no bucket has been empty for longer than this.
    rested$ = min(rested$, max(0, (now - seen_at) * 1000 - seen_level$)) --*
    if seen_level$ - before > idle$ then level$, idle$, rested$ = level$ + seen_level$ - before - idle$, seen_level$ - before, 0 end --leaks
    if seen_level$ > idle$ then level$, idle$, was_fit$ = level$ + seen_level$ - idle$, seen_level$, max(was_fit$, window.back$) end --resets
    -- What it has seen of the idle time of that state is of use to others that went alone then.
    if seen_epoch >= old_epoch and (alone_for == 0 or alone_epoch == seen_epoch) then
      if seen_epoch > old_epoch then
        old_epoch = seen_epoch
        old$ = FAR --*
      end
      old$ = min(old$, seen_idle$ + before - seen_level$) --*
    end
    charges = charges + 1
  end
  if alone_for > 0 then
    local began = (now - alone_for - epoch) * 1000
    if alone_epoch > 0 and alone_epoch == old_epoch then
      seen_idle$ = seen_idle$ - old$ --*
    elseif alone_epoch ~= epoch then
      -- The bucket may have stood idle for as long as possible before this state.
      seen_idle$ = began + full$ --*
    end
    -- From here on, `least` is what it owes.
    least$ = max(least$, taken$ - max(0, idle$ - seen_idle$)) --*
    idle$, debt$ = idle$ - taken$ + least$, debt$ + least$ --*
    charges = charges + 1
  end
end

local weight$ = 0 --*
for _ = 1, refunds do
  local charge, settles
  charge, settles, {{weight$}}, at = unpack('<dd{{d}}', batch, at)
  late$ = late$ + settles * weight$ --*
  if charge > epoch and charge <= charges then
    weight$ = min(weight$, level$, top$ > charge and low$ or FAR) --*
    if weight$ > 0 then --*
      weight$ = give(stack$, size$, charge, weight$) --*
      if top$ > charge then low$ = low$ - weight$ end --*
      level$, given$, late$ = level$ - weight$, given$ + weight$, late$ - settles * weight$ --*
    end --*
  end
end

-- So much sooner the call of the first client in line may be due.
first_due = max(0, first_due - math.ceil(max({{given$}}) / 1000))

local owed = 0
owed = owed + debt$ --*
if owed > 0 then
  charges = charges + 1
  if debt$ > 0 then --leaks
    size$ = push(stack$, size$, top$, low$) --leaks
    top$, low$, level$, rested$ = charges, level$, min(level$ + debt$, FAR), 0 --leaks
  end --leaks
  level$ = min(level$ + debt$, FAR) --resets
end

-- Raises levels to what the provider says. Its count replaces ours then, so nothing of the charges
-- before can be given back any more.
local missing = 0
missing = max(missing, raise$ - level$) --*
if missing > 0 then
  charges = charges + 1
  if raise$ > level$ then --*
    size$ = push(stack$, size$, top$, low$) --*
    top$, low$, level$, rested$ = charges, 0, min(raise$, FAR), 0 --*
  end --*
end

-- Until when each limit stood still.
local stood$ = max(now, held, shut$) --*
if hold_ends > 0 then held, is_exhausted, first_due = booked, false, 0 end
if hold_ends > 1 then
  shut$ = 0 --*
end
held, is_exhausted = max(held, hold_until - max(0, seen_at - now)), is_exhausted or exhausts > 0
-- The rest of the hold. Until then all stands still, so calls are decided as if it were over, and
-- all of them wait for it first.
local pause = max(0, held - now) * 1000

-- Nothing climbs during a hold, either. Restores a climb that was lost, and cuts the rate.
do
  local opens = now + pause / 1000
  local refused, climb, rest, allowed, closed, from
  refused, climb, rest, allowed, closed, at = unpack('<ddddd', batch, at) --*
  shut$ = max(shut$, closed - max(0, seen_at - now)) --*
  from = max(opens, shut$) --*
  if ends$ > stood$ then ends$ = ends$ + from - stood$ end --*
  if rest > 0 then ends$, span$, cut$ = max(ends$, from + rest / 1000), climb, charges --*
  elseif refused > cut$ then --*
    local missing = max(0, ends$ - from) --*
    local longest = missing > 0 and max(span$, climb) or climb --*
    if missing > 0 then missing = missing * longest / span$ end --*
    ends$, span$, cut$ = from + min((longest / 1000 + missing) / 2, longest / 8000 * 7), longest, charges --*
  end --*
  if allowed > 0 then rate$ = allowed end --*
end

-- A client's calls depart in order, so none is granted for a moment before its last slot. The
-- client gives that slot's moment on both clocks. On the server's it is exact, unless that clock
-- was set back. On the client's own it is too late by the time that the batch took to arrive.
ahead = max(0, min(ahead, max(0, ahead_at - now) * 1000) - pause)
below.ahead = max(0, min(below.ahead, max(0, below.at - now) * 1000) - pause)
local decisions, done = {}, 0
local this
local function client()
  this = this or tonumber(string.sub(redis.sha1hex(KEYS[2]), 1, 12), 16)
  return this
end
local function leave_line(place)
  if place == 1 then first_due = 0 end
  for _ = 1, 3 do table.remove(line, place) end
end
for place = #line - 2, 1, -3 do
  if line[place + 1] <= now then leave_line(place) end
end
-- How much of a turn the granted calls take, and how many they are. How long the turn of a call that
-- was kept back takes, and when to ask again for it: for its turn, or until it is near.
local turn, granted, takes, turn_in = 0, 0, 0
-- When to ask again for a call that was kept back for its share.
local has_served, share_in = false
while done < calls and pause <= (is_exhausted and 0 or look_ahead) and not has_probe do
  local longest
  longest, {{weight$}}, at = unpack('<d{{d}}', batch, at)
  local is_below = false
  is_below = is_below or weight$ > 0 --shares
  local due, by, is_shut = is_below and max(ahead, below.ahead) or ahead, 0, false
  is_shut = is_shut or weight$ > 0 and shut$ > now + pause / 1000 --*
  if is_shut or due > look_ahead then break end
  if weight$ > 0 then --leaks
    local wait --leaks
    if weight$ <= fit$ then wait = level$ + weight$ - fit$ --leaks
    else wait = level$ + max(0, min(weight$ + longest_pause - burst$, longest_pause) - rested$) end --leaks
    if wait > due then due, by = wait, $ end --leaks
  end --leaks
  local turn_with, waits_for_share = turn, false
  turn_with = max(turn_with, turn + weight$ / max(1, look_ahead, fit$ / 4)) --*
  local is_next = #line == 0 or line[1] == client() and (granted == 0 or #line == 3 or turn_with <= 1)
  local least = is_next and 0 or (first_due - now) * 1000 - pause
  waits_for_share = waits_for_share or by == $ --shares
  local is_others = is_below and claim_ends > now and claim_of ~= client()
  if weight$ > 0 and (level$ + min(weight$, fit$) > fit$ or now + (due + pause) / 1000 >= window.till$ - window.lead$) then --resets
    due, by, is_shut = max(due, (window.till$ - now) * 1000 - pause), $, true --resets
  end --resets
  if max(due, least) + pause > longest then
    done = done + 1
    decisions[done] = pack('<dB', max(due, least) + pause, by + 128)
  elseif is_shut then
    break
  elseif is_others then
    share_in = max(0, (claim_ends - now - GRACE) * 1000 - 2 * look_ahead)
    break
  elseif waits_for_share and due > look_ahead then
    share_in = due - look_ahead
    if not has_served then
      claim_of, claim_ends = client(), now + math.ceil((min(share_in, LONGEST_PAUSE) + 2 * look_ahead) / 1000) + GRACE
    end
    break
  elseif due > 2 * look_ahead or not is_next then
    if is_next then first_due = now + (due + pause) / 1000 end
    -- Those behind the first one ask after it, and after a quarter of the time of those in between.
    for entry = 4, is_next and 0 or #line, 3 do
      if line[entry] == client() then break end
      least = least + line[entry + 2] / 4
    end
    takes = max(takes, weight$) --leaks
    turn_in = max(0, max(due, least) + pause - 2 * look_ahead + (is_next and 0 or look_ahead / 8))
    break
  else
    -- Charges every limit as of the same moment.
    charges = charges + 1
    sum$ = (sum$ + weight$) % FAR --*
    if weight$ > 0 then --*
      if level$ < due then idle$, level$ = idle$ + due - level$, due end --leaks
      size$ = push(stack$, size$, top$, low$) --leaks
      top$, low$ = charges, level$ - due --leaks
      level$, rested$ = level$ + weight$, 0 --*
    end --*
    has_probe, booked = is_exhausted, max(booked, held)
    if is_below then below.ahead, has_served, claim_ends = due, true, 0 else ahead = due end
    turn, granted, done = turn_with, granted + 1, done + 1
    decisions[done] = pack('<dB', due + pause, by)
  end
end

if has_probe then
  held = now + math.ceil(max(ahead, below.ahead) / 1000) + PROBE
  pause = (held - now) * 1000
  if ends$ > now then ends$ = ends$ + held - now end --*
end

size$ = thin(stack$, size$) --*
local ask_in, place = share_in or turn_in or 0, 0
if #line > 0 or turn_in then
  local entry = 1
  while line[entry] and line[entry] ~= client() do entry = entry + 3 end
  if line[entry] and (granted > 0 or not turn_in) then
    leave_line(entry)
    entry = #line + 1
  end
  if turn_in then
    if entry < 3 * MOST_IN_LINE then
      line[entry], line[entry + 1] = client(), now + math.ceil((min(turn_in, LONGEST_PAUSE) + 2 * look_ahead) / 1000) + GRACE
      line[entry + 2] = takes
    end
    place = (entry + 2) / 3
  end
end
local quota = has_probe and 2 or is_exhausted and 1 or 0
local reply = pack('<dddddddd{{dddddd}}', now, epoch, charges, pause, quota, ask_in, place, done, {{level$, idle$, given$, max(0, shut$ - now) * 1000, sum$, late$}}) ..
  table.concat(decisions) ..
  pack('<{{dddd}}', {{max(0, ends$ - now) * 1000, span$, cut$, rate$}})
was_fit$ = fit$ --leaks
rested$, was_fit$ = -window.till$, max(was_fit$, fit$) --resets
reply = reply .. pack('<dd', max(0, window.till$ - now) * 1000, was_fit$) --resets
state = pack('<dddddddd{{ddddddd}}', now, epoch, charges, #line / 3, first_due, is_exhausted and -max(1, held) or held, booked, 0{{ + 1}}, {{level$, idle$, rested$, was_fit$, top$, low$, size$}})
state = state .. pack('<' .. rep('d', size$), spread(stack$, 1, size$)) --*
state = state .. pack('<{{ddddddd}}ddd', {{ends$, span$, cut$, rate$, shut$, sum$, old$}}, old_epoch, claim_of, claim_ends) .. pack('<' .. rep('d', #line), spread(line))
pause = max(pause, (shut$ - now) * 1000) --*
redis.call('SET', KEYS[1], ARGV[1] .. state, 'EX', ARGV[3] + math.ceil(pause / 1000000000))
redis.call('SET', KEYS[2], pack('<d', seq) .. reply, 'EX', ARGV[4])
return pack('<d', now) .. reply
