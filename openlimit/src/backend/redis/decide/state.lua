-- Reads the state, and lets it leak until now.

-- # Limits that were updated
-- A program may change the rates and bursts of its limits. The identity then ends in `; update n`,
-- and of two identities the one with the larger n is newer. A client with newer limits gives them
-- to the state, if only amounts and bursts differ. A client with older ones is refused, and takes
-- them over (identity.rs). Levels are times of the rate, so an update leaves them as they are.

-- There is one exception. If a limit is counted in windows and an update raises its `fit`, its
-- level rises by as much, unless the bucket was empty for a period: see `change.rs` of `bucket`. So
-- the state keeps the last `fit` (`was_fit`).

-- FAR is `MOST` of `scale`: up to there sums are exact. It also stands for no bound. A client asks
-- again within LONGEST_PAUSE (ahead.rs), in nanoseconds. Its batch may take until GRACE after that
-- and two look-aheads, in microseconds. A batch that takes OLD microseconds was delayed.
local FAR, MOST_PAIRS, MOST_IN_LINE = 4503599627370496, 64, 256
local PROBE, LONGEST_PAUSE, GRACE, OLD = 60000000, 1000000000, 50000, 1000000
local last, epoch, charges, in_line, first_due, held, booked = now, now, now, 0, 0, 0, 0
local news, old_epoch, claim_of, claim_ends = 0, 0, 0, 0
local level$, idle$, rested$, was_fit$ = 0, 0, FAR, 0 --*
local ends$, span$, cut$, rate$, shut$, sum$, given$, late$, old$ = 0, 0, 0, 0, 0, 0, 0, 0, 0 --*
-- The stack has `size` numbers: the `top`, the `low` and the `gap` of each pair, lowest first.
local top$, low$, stack$, size$ = 0, FAR, {}, 0 --*
-- Three numbers for each client in it: a hash of its key, when it loses its place, and how long its
-- turn takes. The second one is half a microsecond more if it was granted a call before its turn.
local line = {}
-- Of the limits that reset. It also says if this client `updates` limits that are counted in
-- windows.
local window = {}
window.till$ = 0 --resets
-- After the identity the state has eight numbers of 8 bytes, seven for each limit, the stacks,
-- seven numbers for each limit, four, and the line.
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
    length = fixed + 32 + 24 * in_line
    length = length + 8 * size$ + 56 --*
  end
  if #state == length then
    stack$, from = {unpack('<' .. rep('d', size$), state, from)}, from + 8 * size$ --*
    {{ends$, span$, cut$, rate$, shut$, sum$, old$}}, news, old_epoch, claim_of, claim_ends, from = unpack('<{{ddddddd}}dddd', state, from)
    for entry = 1, 3 * in_line do line[entry], from = unpack('<d', state, from) end
    -- A number that is none, or infinite, makes the sum of all so.
    total = total + last + epoch + charges + first_due + held + booked + news + old_epoch + claim_of + claim_ends
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
