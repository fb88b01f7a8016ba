-- Gives back what calls did not use, takes what they owe, and raises levels to what the provider
-- says.

-- # What the provider says is left
-- A response says how much was left when its call was counted. All calls that were granted since
-- are missing from that, those of other clients included, and also those that have not departed
-- yet. So the state keeps the sum of all weights that were granted (`sum`, modulo FAR). A client
-- remembers it for each of its calls, and asks for a level (`raise`) as of the sum that it has seen
-- last (`seen_sum`). What was granted since is added here. Slots that were given back still count,
-- because nobody knows if a response came before or after them. So does what slots were charged to
-- last longer than usual. So a level may be a little too high.

-- # What has leaked already
-- A call that used less has taken less from the beginning. If its part has leaked meanwhile, the
-- level falls to zero, and the bucket counts as empty (`rested`) from when it would have been.
-- Otherwise a large call that comes next would pause for longer than without the first one.

local weight$ = 0 --*
for _ = 1, refunds do
  local charge, settles
  charge, settles, {{weight$}}, at = unpack('<dd{{d}}', batch, at)
  late$ = late$ + settles * weight$ --*
  if charge > epoch and charge <= charges then
    weight$ = min(weight$, top$ > charge and low$ or FAR) --leaks
    weight$ = min(weight$, level$, top$ > charge and low$ or FAR) --resets
    if weight$ > 0 then --*
      weight$ = give(stack$, size$, charge, weight$) --*
      if top$ > charge then low$ = low$ - weight$ end --*
      rested$ = min(FAR, rested$ + max(0, weight$ - level$)) --leaks
      weight$ = min(weight$, level$) --leaks
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
