-- Decides one batch of one client: applies its refunds and its debts, and grants its calls.

-- KEYS[1] holds the buckets of the limiter, KEYS[2] the last reply to this client.
-- ARGV: the identity of the limiter (layout and limits), the batch (see wire.rs), and for how many
-- seconds to keep KEYS[1] and KEYS[2]. Returns a reply (see wire.rs), or an error that begins with
-- `OPENLIMIT` (see problem.rs).

-- Times are microseconds of the server's clock. Levels, weights and waits are nanoseconds of a
-- limit's rate (see scale.rs).

-- script.rs unrolls this text for a number of limits: lines that end in `--*` are repeated together
-- with 1, 2, .. in place of `$`, and what stands in double braces becomes a list. It strips lines
-- that begin with two dashes and a space, so comments cost nothing.

-- # The rule: GCRA on the server's clock
-- Each limit is a leaky bucket. `level` is how full it is, and 1 ns of it leaks in 1 ns. A call of
-- weight w fits as soon as level + w <= fit, where `fit` is the burst less the jitter. So it has to
-- wait for level + w - fit. A call with w > fit waits for an empty bucket. If it is larger than the
-- burst, it leaves a debt that later calls wait for. All of that is timed by the server's clock, so
-- clients whose clocks differ agree.

-- A call is granted at once, for a later moment, and the client sleeps until then. `as_of` is the
-- time from now until that moment: the longest wait that any of the limits asks for. Every limit is
-- charged as of that moment. A bucket whose level is below `as_of` is empty before then, and what
-- could leak while it is empty is lost. So such a level is first raised to `as_of`, and then the
-- weight is added.

-- Example in ms, with a burst of 200 and a fit of 180. Request level 180, token level 0. A call
-- weighs 100 in requests and 180 in tokens. Requests ask for 180 + 100 - 180 = 100, tokens for 0.
-- So it is granted for 100, and both levels become 280. If tokens were charged as of now, their
-- level would be 180, and 80 when the call departs. A second call, of 100 in tokens alone, would be
-- granted for that same moment: 280 ms of tokens at once, where the burst is 200.

-- # Refunds: two lower bounds
-- A refund may not exceed the lowest level just before any later charge (ledger.rs derives that).
-- A client knows those levels for its own charges, and needs a lower bound, `seen_low`, for charges
-- of others since its last reply. The state holds two, and the higher one counts:

-- 1. The minima. A pair of `top` and `low` covers a range of batches: those after the `top` of the
-- pair before it, up to its own `top`. Just before each charge of these batches the level was at
-- least `low`. A later pair has a higher `low`. So for a client that has seen n batches, the first
-- pair whose `top` is larger than n has the minimum of all later batches.

-- There is room for three pairs. When a fourth is needed, the first takes over the range of the
-- second: its `low` is then too low for it, which is safe, and the latest pairs stay exact.

-- Example: just before the charges of batches 5 to 8 the levels are 10, 40, 20, 50. The 20 replaces
-- the 40: (5, 10), (7, 20), (8, 50). Before batch 9 the level is 60: (7, 10), (8, 50), (9, 60). A
-- client that has seen 7 batches gets 50, which is exact. One that has seen 5 gets 10, where 20
-- would be true.

-- 2. The leak. The client saw `seen_level`, and charges only add to that. So just before the last
-- charge of others the level was at least seen_level, less what leaked until then, less what others
-- gave back. `run` is how long the state has leaked so far, and `horizon` is the last moment on
-- that axis that any call was granted for. Example: the client saw 1000 at run 0, others were
-- granted calls for up to 300, and gave back 50. So the level was never below 650.

-- The minima are exact where a bucket fills and drains in seconds. The leak is nearly exact where a
-- burst lasts for hours, and little of it leaks between two batches.

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

-- # The last call, granted anew
-- The moment of a granted call is fixed. For a call far ahead, later refunds could allow a much
-- earlier one. But they count only up to the level just before that call. So as long as no other
-- call was granted after it (`alone`), its client may have it taken out, as if it had never been
-- granted, and granted anew as the first call of the batch (`moves`). `ahead` is where the client's
-- last call lies, `back` where the one before it does.

-- Example: a bucket of fit 180 is at 178. A call of 100 is granted for 98, when the level will be
-- 80. Now the call before it gives back 160. With the far call in place, only 80 of that would
-- count. With it taken out, the level is 178 - 160 = 18, and the call is granted for now.

local max, min, pack, unpack = math.max, math.min, struct.pack, struct.unpack
local batch, at = ARGV[2], 0
local seq, seen_at, seen_epoch, seen_count, seen_run, ahead, ahead_at, back, back_at, look_ahead, slack, moves, calls
seq, seen_at, seen_epoch, seen_count, seen_run, ahead, ahead_at, back, back_at, look_ahead, slack, moves, calls, at =
  unpack('<ddddddddddddd', batch)

-- A client has one batch in flight. It numbers them, and sends a batch again when it got no reply.
-- A batch that was decided already gets the same reply, and changes nothing. A batch with an
-- earlier number was delayed on the way while its repetition was decided: no call waits for its
-- reply.
local now
do
  local stored = redis.call('GET', KEYS[2])
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
  if stored then
    local last_seq = unpack('<d', stored)
    if last_seq == seq then return pack('<d', now) .. string.sub(stored, 9) end
    if last_seq > seq then return redis.error_reply('OPENLIMIT stale') end
  end
end

-- FAR is `MOST` of scale.rs: up to there sums are exact. It also stands for no bound. `given` is
-- what was ever given back, modulo FAR.
local FAR = 4503599627370496
local last, epoch, count, run, horizon = now, now, 0, 0, 0
local level$, idle$, given$ = 0, 0, 0 --*
local top_a$, low_a$, top_b$, low_b$, top_c$, low_c$ = 0, FAR, 0, FAR, 0, FAR --*
-- After the identity the state has five numbers of 8 bytes, and nine for each limit.
local state = redis.call('GET', KEYS[1])
if state then
  local limits = ARGV[1]
  if string.sub(state, 1, #limits) == limits and #state == #limits + 40{{ + 72}} then
    last, epoch, count, run, horizon, {{level$, idle$, given$, top_a$, low_a$, top_b$, low_b$, top_c$, low_c$}} =
      unpack('<ddddd{{ddddddddd}}', state, #limits + 1)
  else
    -- These are other limits, or another layout. Once such a state has drained, and was not used
    -- for ten seconds, it says no more than an empty one, and this limiter takes the name over.
    local layout, theirs, rest = string.match(state, '^(openlimit %d+)\n([^\n]*)\n?()')
    local is_ours = layout == string.match(limits, '^[^\n]*')
    if not is_ours or (#state - rest - 39) % 72 ~= 0 then
      return redis.error_reply('OPENLIMIT layout ' .. (not is_ours and layout or ''))
    end
    local passed = now - unpack('<d', state, rest)
    local free_in = 10000000 - passed
    for from = rest + 40, #state - 71, 72 do
      free_in = max(free_in, math.ceil(unpack('<d', state, from) / 1000) - passed)
    end
    -- Written like this so that NaN is an error, too.
    if not (free_in <= 0) then
      return redis.error_reply('OPENLIMIT limits ' .. string.format('%.0f ', min(FAR, free_in)) .. theirs)
    end
  end
end

-- After the clock was set back nothing has leaked. From the next batch on it leaks as before.
do
  local leaked_for = max(0, now - last)
  run = run + leaked_for
  local passed = leaked_for * 1000
  if level$ > passed then level$ = level$ - passed else idle$ = idle$ + passed - level$; level$ = 0 end --*
end

local debt$, fit$, burst$ --*
local seen_low$, others_gave$ = 0, 0 --*
local alone = false
do
  local seen_level$, seen_given$, refund$, room$, put_in$, refund_without$, room_without$ --*
  seen_level$, seen_given$, refund$, room$, put_in$, refund_without$, room_without$, debt$, fit$, burst$, at = --*
    unpack('<dddddddddd', batch, at) --*
  if seen_epoch > 0 and (seen_epoch ~= epoch or seen_count > count) then
    -- The client has seen an earlier state. Where only its count is ahead, this is an older copy of
    -- the same state, from a replica that lagged: then a new epoch begins with what is in it.
    if seen_epoch == epoch then
      epoch, count = now, 0
      idle$ = level$ --*
      top_a$, low_a$, top_b$, low_b$, top_c$, low_c$ = 0, FAR, 0, FAR, 0, FAR --*
    end
    local before = max(0, epoch - seen_at) * 1000
    if seen_level$ - before > idle$ then level$ = level$ + seen_level$ - before - idle$; idle$ = seen_level$ - before end --*
  else
    -- Both bounds, first the minima. If no other batch charged any limit, the client is alone.
    seen_low$ = FAR --*
    if top_a$ > seen_count then seen_low$ = low_a$ --*
    elseif top_b$ > seen_count then seen_low$ = low_b$ --*
    elseif top_c$ > seen_count then seen_low$ = low_c$ end --*
    alone = true
    alone = alone and seen_low$ == FAR --*
    others_gave$ = (given$ - seen_given$) % FAR --*
    local leaked = (max(run, horizon) - seen_run) * 1000
    seen_low$ = max(seen_low$, count > seen_count and seen_level$ - leaked - others_gave$ or FAR) --*
    if alone then
      -- Takes out the last charge: its weight, and what it kept from leaking (`raised`). For so
      -- long the bucket was not idle after all. Where idle already accounts for a lost state, that
      -- puts back rather too much of it than too little. `put_in` is zero where nothing is to be
      -- taken out.
      given$ = (given$ + min(put_in$, level$)) % FAR --*
      level$, idle$ = max(0, level$ - put_in$), max(0, idle$ - put_in$) --*
      refund$, room$ = refund_without$, room_without$ --*
      ahead, ahead_at = back, back_at
    end
    -- What others gave back lowered the levels that bound this refund. `room` is how much of that
    -- it can bear (see refunds.rs). After it, all levels since then were lower by the refund.
    refund$ = refund$ - max(0, others_gave$ - room$) --*
    refund$ = max(0, min(refund$, level$, seen_low$)) --*
    level$, given$ = level$ - refund$, (given$ + refund$) % FAR --*
    low_a$, low_b$, low_c$, seen_low$ = low_a$ - refund$, low_b$ - refund$, low_c$ - refund$, seen_low$ - refund$ --*
  end
end
level$ = min(level$ + debt$, FAR) --*
local low$, raised$ = FAR, 0 --*

-- A client's calls depart in order, so none is granted for a moment before its last slot. The
-- client gives that slot's moment on both clocks. On the server's it is exact, unless that clock
-- was set back. On the client's own it is too late by the time that the batch took to arrive.
ahead = min(ahead, max(0, ahead_at - now) * 1000)
local decisions, done = {}, 0
if moves > 0 and not alone then
  -- The call that was to move keeps the slot that it has.
  at, calls = at + 8{{ + 8}}, calls - 1
end
while done < calls and ahead <= look_ahead do
  local longest, {{weight$}}
  longest, {{weight$}}, at = unpack('<d{{d}}', batch, at)
  -- Calls may depart up to `slack` after their moment. The jitter kept back covers that for a call
  -- that fits beside it. Any other departs later than it is charged for, by what the burst does not
  -- cover.
  local due, as_of, by = ahead, ahead, 0
  if weight$ > 0 then --*
    local wait, late --*
    if weight$ <= fit$ then wait, late = level$ + weight$ - fit$, 0 --*
    else wait, late = level$, min(max(weight$ + slack - burst$, 0), slack) end --*
    as_of = max(as_of, wait) --*
    if wait + late > due then due, by = wait + late, $ end --*
  end --*
  done = done + 1
  if due > longest then
    decisions[done] = pack('<dB', due, by + 128)
  else
    -- Charges every limit as of the same moment.
    raised$ = 0 --*
    if weight$ > 0 then --*
      if level$ < as_of then raised$ = as_of - level$; idle$ = idle$ + raised$; level$ = as_of end --*
      low$ = min(low$, level$ - as_of) --*
      level$ = level$ + weight$ --*
    end --*
    ahead = due
    decisions[done] = pack('<dB', due, by)
  end
end

count = count + 1
if low$ < FAR then --*
  if low$ <= low_a$ then top_a$, low_a$, top_b$, low_b$, top_c$, low_c$ = count, low$, 0, FAR, 0, FAR --*
  elseif low$ <= low_b$ then top_b$, low_b$, top_c$, low_c$ = count, low$, 0, FAR --*
  elseif low$ <= low_c$ then top_c$, low_c$ = count, low$ --*
  else top_a$, top_b$, low_b$, top_c$, low_c$ = top_b$, top_c$, low_c$, count, low$ end --*
end --*
horizon = max(horizon, run + math.ceil(ahead / 1000))
local reply = pack('<dddddd{{ddddd}}', now, epoch, count, run, alone and 1 or 0, done,
  {{level$, given$, others_gave$, max(0, seen_low$), raised$}}) .. table.concat(decisions)
state = pack('<ddddd{{ddddddddd}}', now, epoch, count, run, horizon,
  {{level$, idle$, given$, top_a$, low_a$, top_b$, low_b$, top_c$, low_c$}})
redis.call('SET', KEYS[1], ARGV[1] .. state, 'EX', ARGV[3])
redis.call('SET', KEYS[2], pack('<d', seq) .. reply, 'EX', ARGV[4])
return pack('<d', now) .. reply
