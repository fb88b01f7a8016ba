-- Writes the state and the reply.

size$ = thin(stack$, size$) --*
local ask_in, place = share_in or turn_in or 0, 0
if #line > 0 or turn_in then
  local entry = 1
  while line[entry] and line[entry] ~= client() do entry = entry + 3 end
  local early = 0
  if entry > 1 then early = granted > 0 and 0.5 or (line[entry + 1] or 0) % 1 end
  if line[entry] and (granted > 0 and entry == 1 or not turn_in) then
    leave_line(entry)
    entry = #line + 1
  end
  if turn_in then
    if entry < 3 * MOST_IN_LINE then
      line[entry], line[entry + 1] = client(), now + math.ceil((min(turn_in, LONGEST_PAUSE) + 2 * look_ahead) / 1000) + GRACE + early
      line[entry + 2] = takes
    end
    place = (entry + 2) / 3
  end
end
local quota = has_probe and 2 or is_exhausted and 1 or 0
local reply = pack('<ddddddddd{{dddddd}}', now, epoch, charges, news, pause, quota, ask_in, place, done, {{level$, idle$, given$, max(0, shut$ - now) * 1000, sum$, late$}}) ..
  table.concat(decisions) ..
  pack('<{{dddd}}', {{max(0, ends$ - now) * 1000, span$, cut$, rate$}})
was_fit$ = fit$ --leaks
rested$, was_fit$ = -window.till$, max(was_fit$, fit$) --resets
reply = reply .. pack('<dd', max(0, window.till$ - now) * 1000, was_fit$) --resets
state = pack('<dddddddd{{ddddddd}}', now, epoch, charges, #line / 3, first_due, is_exhausted and -max(1, held) or held, booked, 0{{ + 1}}, {{level$, idle$, rested$, was_fit$, top$, low$, size$}})
state = state .. pack('<' .. rep('d', size$), spread(stack$, 1, size$)) --*
state = state .. pack('<{{ddddddd}}dddd', {{ends$, span$, cut$, rate$, shut$, sum$, old$}}, news, old_epoch, claim_of, claim_ends) .. pack('<' .. rep('d', #line), spread(line))
-- Debts may take any time to leak, after the last hold. Of a limit that resets, ARGV[3] is at least
-- two windows.
local drains_in = 0
drains_in = max(drains_in, level$) --leaks
drains_in = max(drains_in, min(FAR, level$ / fit$ * ARGV[3] / 2 * 1000000000)) --resets
pause = max(pause, (shut$ - now) * 1000) --*
redis.call('SET', KEYS[1], ARGV[1] .. state, 'EX', ARGV[3] + math.ceil((pause + drains_in) / 1000000000))
redis.call('SET', KEYS[2], pack('<d', seq) .. reply, 'EX', ARGV[4])
-- Other clients learn of the hold at once. If this is forbidden, they do with their next reply.
if begins then
  redis.pcall('PUBLISH', 'openlimit:holds', pack('<ddddd{{d}}', 0{{ + 1}}, now, epoch, max(0, held - now) * 1000, quota, {{max(0, shut$ - now) * 1000}}) .. KEYS[1])
end
return pack('<d', now) .. reply
