-- The levels that bound refunds.

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
-- goes, and the one before it takes its `top`. So refunds of the charges between the two are bounded
-- too low, by the difference of the two levels. A refund lowers both or neither, since the pair has
-- that `top` now. So the difference, its `gap`, stays, and more is added only if another pair goes.
-- A pair goes as long as the gap is at most one part in MOST_PAIRS of what the stack spans.

-- Refunds bring pairs closer together, while their gaps stay. So more than MOST_PAIRS may be left.
-- If they are more than twice as many, the gaps may be twice as large.

-- Charges are numbered from the moment on at which the state began, in microseconds. So no charge
-- of an earlier state has the number of a later one, as long as there are less than a million a
-- second. Nothing is known of those, and nothing of them is given back.

-- Adds a pair to a stack, if there is one, and removes those that are not lower.
local function push(stack, size, top, low)
  if top == 0 then return size end
  while size > 0 and stack[size - 1] >= low do size = size - 3 end
  stack[size + 1], stack[size + 2], stack[size + 3] = top, low, 0
  return size + 3
end

-- Returns how much of `weight` can be given back of a charge. Lowers the levels after it by that.
local function give(stack, size, charge, weight)
  local before = size
  while before > 0 and stack[before - 2] > charge do before = before - 3 end
  if before == size then return weight end
  local given = min(weight, stack[before + 2])
  for low = before + 2, size, 3 do stack[low] = stack[low] - given end
  -- A level before it that is higher now says nothing any more.
  while before > 0 and stack[before - 1] > stack[before + 2] do
    stack[before - 1], before = stack[before + 2], before - 3
  end
  return given
end

-- Thins a stack out.
local function thin(stack, size)
  if size <= 3 * MOST_PAIRS then return size end
  local most = max(1, (stack[size - 1] - stack[2]) / MOST_PAIRS)
  repeat
    local kept = 3
    for pair = 6, size, 3 do
      local low = stack[pair - 1]
      local gap = low + stack[pair] - stack[kept - 1]
      if gap > most and low > stack[kept - 1] then
        kept = kept + 3
        stack[kept - 1], gap = low, stack[pair]
      end
      stack[kept - 2], stack[kept] = stack[pair - 2], gap
    end
    size, most = kept, 2 * most
  until size <= 6 * MOST_PAIRS
  return size
end
