-- Compares the state with what the client has seen of it: levels that were lost, what its process
-- took alone, updates and resets.

-- # A reset
-- All buckets become as new. That counts as one charge, behind which nothing can be given back.

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

-- # Limits that reset
-- Such a limit does not leak. Its levels and weights are amounts, and `fit` is the amount of a
-- window. The state keeps when the window ends that its level counts in (`till`, negative in the
-- place of `rested`), and the highest `fit` in it (`was_fit`), since the next client may have
-- another one, and an update may lower it. When the window is over, so much of the level is gone,
-- and what the windows since then allow. What is left is a debt. Nothing of the charges before can
-- be given back any more. In case that the state is lost, a client also sends the highest `fit`
-- that it knows of (`window.back`).

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

if hold_ends > 2 then
  charges, line, claim_ends, booked = charges + 1, {}, 0, 0
  level$, rested$, was_fit$, top$, low$, size$ = 0, FAR, 0, charges, 0, 0 --*
  ends$, span$, cut$, rate$ = 0, 0, charges, rate$ > 0 and 4294967296 or 0 --*
end

local debt$, raise$, fit$, burst$ = 0, 0, 0, 0 --*
-- True if the client has seen newer holds, in a state that was lost (holds.lua).
local is_newer
do
  local seen_level$, taken$, least$, seen_idle$, seen_sum$, full$ = 0, 0, 0, 0, 0, 0 --*
  local since
  seen_level$, debt$, raise$, seen_sum$, taken$, least$, seen_idle$, full$, fit$, burst$, at = unpack('<dddddddddd', batch, at) --*
  window.from, window.to, window.next_to, window.lead$, window.back$, at = unpack('<ddddd', batch, at) --resets
  -- In windows, the burst is at least what leaks in a period.
  if window.updates and was_fit$ > 0 and fit$ > was_fit$ and rested$ < burst$ then --leaks
    level$, rested$ = min(FAR, level$ + fit$ - was_fit$), 0 --leaks
  end --leaks
  -- The batch may have been on its way for long. What it says leaks as of when it was made.
  if made_at > 0 then --leaks
    local passed = max(0, now - max(made_at, held, shut$)) * 1000 --leaks
    raise$, least$ = max(0, raise$ - passed), max(0, least$ - passed) --leaks
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
    is_newer = seen_news > news and (news < epoch or seen_epoch >= epoch)
    -- The client has seen an earlier state. If it saw that after this one began, this is an older
    -- copy, from a replica that lagged or from a disk, or a state beside the other. Then a new
    -- epoch begins with what is in it. If both began at the same time, the charges of the copy are
    -- behind those that the client has seen, unless others were granted as many since. But the last
    -- reply to this client is then older than the one that it has seen, or missing.
    if max(seen_epoch, seen_at) >= epoch then
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
    local began = ((made_at > 0 and min(made_at, now) or now) - alone_for - epoch) * 1000
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
