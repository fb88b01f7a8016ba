-- Grants calls: the rule, the line, and the shares of calls below a priority.

-- # The rule: GCRA on the server's clock
-- Each limit is a leaky bucket. `level` is how full it is, and 1 ns of it leaks in 1 ns. A call of
-- weight w fits as soon as level + w <= fit, where `fit` is the burst less the jitter. So it has to
-- wait for level + w - fit. A call with w > fit waits for an empty bucket, and then for what the
-- burst does not cover of w and `longest_pause`. That is the jitter, unless the provider counts in
-- windows. `rested` is for how long the bucket has been empty. If the call is larger than the
-- burst, it leaves a debt that later calls wait for. All of that is timed by the server's clock, so
-- clients whose clocks differ agree.

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

-- # The line
-- Once a call is granted it is in the buckets, and what is given back until it departs counts only
-- up to the level just before it. So a call that would have to wait for more than two look-aheads
-- of its client is not granted yet. Its client gets a place in the `line`, and asks again when the
-- call is that near. Whatever is given back until then brings that moment forward.

-- While there is a line, only the first client in it is granted calls. Others that ask for calls
-- join it at the end. So large calls are not overtaken again and again. While others wait, a turn
-- is one call, or as many as fit into a look-ahead or a quarter of the burst. Then the client has
-- to join the line again. So clients take turns, whatever they ask for and however often they ask.

-- Clients ask only now and then, so the first one may not know yet that its turn has come. So
-- another client is granted one call, too, if there is room beside it for the first calls of all
-- clients before it. Such a call delays none of them: one that departs later needs that room at that
-- moment, since nothing leaks from an empty bucket. It is no turn, so a client that wants more keeps
-- its place. Otherwise one that asks often would get single calls where others get whole turns. And
-- it gets one such call until its turn, or one that asks often would get many more than others.
-- Where a limit resets, there is no such grant.

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
-- How much of a turn the granted calls take, and how many they are. How long the turn takes of a
-- call that was kept back, and when to ask again for it: for its turn, or until it is near.
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
  if not is_next and granted == 0 then
    local before = 0
    is_next = true
    for entry = 1, #line, 3 do
      if line[entry] == client() then is_next = line[entry + 1] % 1 == 0; break end
      before = before + line[entry + 2]
    end
    is_next = is_next and max(level$, due) + before + weight$ <= fit$ --leaks
    is_next = false --resets
  end
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
