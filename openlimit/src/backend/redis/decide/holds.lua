-- Holds, and rates that were cut.

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

-- # A rate that was cut
-- After a refusal the rate of a limit is halved, and climbs back (`climb.rs`). Clients let their
-- calls weigh more meanwhile, so nothing here depends on it. But they have to agree on the climb:
-- the state keeps when it `ends`, its `span`, and the last charge before the `cut`. A client names
-- the charge that was refused. So each crowd of calls cuts the rate once, whoever is refused. The
-- `rate` that the provider allows is kept for the clients, too. A batch that was on its way for
-- longer than OLD changes it only if none is known: others may have been told a newer one. If they
-- were not, the next response to its client says it again.

-- # If the state was lost
-- Each client says which holds it has seen last (`seen_held`), and when a client had changed them
-- last (`seen_news`). If it saw them in a state that was lost, they are restored, unless those of
-- this state were changed later (`news`). A change in this state is later than all in the one
-- before, also if the clock was set back by less than that one lasted.

-- Until when each limit stood still.
local stood$ = max(now, held, shut$) --*
-- By how much the clock was set back since the client's last reply, at least.
local set_back = max(0, seen_at - now)
if is_newer then
  news, first_due, is_exhausted = seen_news, 0, seen_held < 0
  held = max(booked, math.abs(seen_held) - set_back)
end
if hold_ends + hold_until + exhausts > 0 then news = max(news, now) end
if hold_ends > 0 then held, is_exhausted, first_due = booked, false, 0 end
held, is_exhausted = max(held, hold_until - set_back), is_exhausted or exhausts > 0
-- The rest of the hold. Until then all stands still, so calls are decided as if it were over, and
-- all of them wait for it first.
local pause = max(0, held - now) * 1000

-- Nothing climbs during a hold, either. Restores a climb that was lost, and cuts the rate.
do
  local opens = now + pause / 1000
  local refused, climb, rest, allowed, seen_shut, closed, from
  refused, climb, rest, allowed, seen_shut, closed, at = unpack('<dddddd', batch, at) --*
  if is_newer then shut$ = max(0, seen_shut - set_back) end --*
  if hold_ends > 1 then shut$ = 0 end --*
  if closed > 0 then news = max(news, now) end --*
  if made_at > 0 then rest = max(0, rest - max(0, now - made_at) * 1000) end --*
  shut$ = max(shut$, closed - set_back) --*
  from = max(opens, shut$) --*
  if ends$ > stood$ then ends$ = ends$ + from - stood$ end --*
  if rest > 0 then --*
    local missing = max(0, ends$ - from) --*
    local longest = missing > 0 and max(span$, climb) or climb --*
    if missing > 0 then missing = missing * longest / span$ end --*
    ends$, span$, cut$ = from + max(missing, rest / 1000 * longest / climb), longest, charges --*
  elseif refused > cut$ then --*
    local missing = max(0, ends$ - from) --*
    local longest = missing > 0 and max(span$, climb) or climb --*
    if missing > 0 then missing = missing * longest / span$ end --*
    ends$, span$, cut$ = from + min((longest / 1000 + missing) / 2, longest / 8000 * 7), longest, charges --*
  end --*
  if allowed > 0 and (rate$ == 0 or made_at == 0 or now - made_at < OLD) then rate$ = allowed end --*
end

-- Calls that take from some limit could depart, and cannot any more.
local begins = false
if stood$ <= now and max(held, shut$) > now then begins = true end --*
