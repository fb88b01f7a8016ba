-- Decides a batch: gives back, adds what is owed, and grants calls, each at the moment from which all limits allow it. The client's
-- last call may be taken out first, as if it had never been granted, and be granted anew as the first of the batch (`moves`), where
-- the client is `alone`: nobody was granted anything since. `back` is where the call before that one lies ahead.
-- KEYS: the limiter's state, and what its client was told last. ARGV: the limits in words, the batch, the lifetime of the keys.
-- Times are microseconds of the server's clock; levels and weights are nanoseconds of a limit's rate (see scale.rs).
-- The text is unrolled for the number of limits: lines that end in `--*` are repeated together with 1, 2, .. for `$`, and so is what
-- stands in double braces, as a list (see script.rs).

local max, min, pack, unpack = math.max, math.min, struct.pack, struct.unpack
local batch, at = ARGV[2], 0
local seq, seen_at, seen_epoch, seen_count, seen_run, ahead, ahead_at, back, back_at, look_ahead, slack, moves, calls
seq, seen_at, seen_epoch, seen_count, seen_run, ahead, ahead_at, back, back_at, look_ahead, slack, moves, calls, at =
  unpack('<ddddddddddddd', batch)

-- One batch of a client is under way at a time. One that was decided before has the same answer again; one that was overtaken
-- by its own repetition, and arrives after it, has none.
local now
do
  local told = redis.call('GET', KEYS[2])
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
  if told then
    local last_seq = unpack('<d', told)
    if last_seq == seq then return pack('<d', now) .. string.sub(told, 9) end
    if last_seq > seq then return redis.error_reply('OPENLIMIT stale') end
  end
end

-- What bounds refunds (see ledger.rs): for how long the state has leaked, `run`, and the last moment of that time that anything was
-- granted for, `horizon`; and how empty the bucket was, or will be, just before the charges of the batches up to the three that the
-- tops count. Those are minima of what follows, each higher than the one before it, and the latest is exact.
-- What was ever given back, `given`, starts again at zero where the sums would no longer be exact.
local FAR = 4503599627370496
local last, epoch, count, run, horizon = now, now, 0, 0, 0
local level$, idle$, given$ = 0, 0, 0 --*
local top_a$, low_a$, top_b$, low_b$, top_c$, low_c$ = 0, FAR, 0, FAR, 0, FAR --*
local state = redis.call('GET', KEYS[1])
if state then
  local limits = ARGV[1]
  if string.sub(state, 1, #limits) == limits and #state == #limits + 40{{ + 72}} then
    last, epoch, count, run, horizon, {{level$, idle$, given$, top_a$, low_a$, top_b$, low_b$, top_c$, low_c$}} =
      unpack('<ddddd{{ddddddddd}}', state, #limits + 1)
  else
    -- Another limiter's, unless it has drained and nobody came for ten seconds: then it says no more than none does.
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
    -- Nor is it free where that is no number.
    if not (free_in <= 0) then
      return redis.error_reply('OPENLIMIT limits ' .. string.format('%.0f ', min(FAR, free_in)) .. theirs)
    end
  end
end

-- A clock that was set back stops the leak, and no more.
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
    -- This state began (or, on a replica, went back) after the client had seen more in the bucket than is here. What had not leaked of
    -- that by then is put back, once for all clients: `idle` is how much of it the state has made up for already.
    if seen_epoch == epoch then
      epoch, count = now, 0
      idle$ = level$ --*
      top_a$, low_a$, top_b$, low_b$, top_c$, low_c$ = 0, FAR, 0, FAR, 0, FAR --*
    end
    local before = max(0, epoch - seen_at) * 1000
    if seen_level$ - before > idle$ then level$ = level$ + seen_level$ - before - idle$; idle$ = seen_level$ - before end --*
  else
    -- How low the bucket was just before others' charges since the client saw it. And how low it can have been: until the last of them it
    -- has lost what leaked, and what they gave back. The higher one counts, since both are never above the truth.
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
      -- The last charge of all is taken out, with what it kept from leaking: that much the bucket was not idle after all. It may have
      -- made up for what was in a state that was lost, of which rather too much is put back than too little.
      given$ = (given$ + min(put_in$, level$)) % FAR --*
      level$, idle$ = max(0, level$ - put_in$), max(0, idle$ - put_in$) --*
      refund$, room$ = refund_without$, room_without$ --*
      ahead, ahead_at = back, back_at
    end
    -- What others gave back of earlier charges leaves less to give back of later ones.
    refund$ = refund$ - max(0, others_gave$ - room$) --*
    refund$ = max(0, min(refund$, level$, seen_low$)) --*
    level$, given$ = level$ - refund$, (given$ + refund$) % FAR --*
    low_a$, low_b$, low_c$, seen_low$ = low_a$ - refund$, low_b$ - refund$, low_c$ - refund$, seen_low$ - refund$ --*
  end
end
level$ = min(level$ + debt$, FAR) --*
local low$, raised$ = FAR, 0 --*

-- A client's calls go in their order. Where its last one lies ahead it knows by the server's clock, and in case that was set back by its
-- own, which is later by the time that the batch was on its way.
ahead = min(ahead, max(0, ahead_at - now) * 1000)
local told_calls, done = {}, 0
if moves > 0 and not alone then
  -- The call that was to move keeps its moment.
  at, calls = at + 8{{ + 8}}, calls - 1
end
while done < calls and ahead <= look_ahead do
  local longest, {{weight$}}
  longest, {{weight$}}, at = unpack('<d{{d}}', batch, at)
  -- A call that does not fit beside the jitter departs later than it is charged for, by as much as those before it may depart late.
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
    told_calls[done] = pack('<dB', due, by + 128)
  else
    -- As of the moment of the grant: until then the bucket runs empty if it can, and what leaks beyond that is gone.
    raised$ = 0 --*
    if weight$ > 0 then --*
      if level$ < as_of then raised$ = as_of - level$; idle$ = idle$ + raised$; level$ = as_of end --*
      low$ = min(low$, level$ - as_of) --*
      level$ = level$ + weight$ --*
    end --*
    ahead = due
    told_calls[done] = pack('<dB', due, by)
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
  {{level$, given$, others_gave$, max(0, seen_low$), raised$}}) .. table.concat(told_calls)
state = pack('<ddddd{{ddddddddd}}', now, epoch, count, run, horizon,
  {{level$, idle$, given$, top_a$, low_a$, top_b$, low_b$, top_c$, low_c$}})
redis.call('SET', KEYS[1], ARGV[1] .. state, 'EX', ARGV[3])
redis.call('SET', KEYS[2], pack('<d', seq) .. reply, 'EX', 600)
return pack('<d', now) .. reply
