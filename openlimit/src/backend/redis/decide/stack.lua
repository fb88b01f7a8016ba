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
-- gives its range to the one before it. Refunds of those charges are then bounded too low, but never
-- by more than up to the next pair that is left: its level is above those of all that are gone. So a
-- pair goes only if the next one is hardly higher than the one before, by one part in MOST_PAIRS / 2
-- of what the stack spans. That bounds the error, however often the stack is thinned out. And of
-- three pairs in a row that are left, the outer ones are further apart than that. So hardly more
-- than MOST_PAIRS are left.

-- Charges are numbered from the moment on at which the state began, in microseconds. So no charge
-- of an earlier state has the number of a later one, as long as there are less than a million a
-- second. Nothing is known of those, and nothing of them is given back.

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
  local most, kept = (stack[size] - stack[2]) / (MOST_PAIRS / 2), 2
  for pair = 4, size, 2 do
    local after = pair < size and stack[pair + 2] or FAR
    if after - stack[kept] > most then kept = kept + 2; stack[kept] = stack[pair] end
    stack[kept - 1] = stack[pair - 1]
  end
  return kept
end
