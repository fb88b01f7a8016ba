-- Decides one batch of one client: applies its refunds and its debts, and grants its calls. The
-- parts of the script follow one another, and share their variables (script.rs joins them):

-- * batch.lua reads the head of the batch, and sends the last reply again.
-- * state.lua reads the state, and lets it leak until now.
-- * stack.lua keeps what bounds refunds.
-- * seen.lua compares the state with what the client has seen of it.
-- * refunds.lua gives back, takes debts, and raises levels to what the provider says.
-- * holds.lua begins and ends holds, and cuts rates.
-- * calls.lua grants calls: the rule, the line, and the shares of calls below a priority.
-- * reply.lua writes the state and the reply.

-- KEYS[1] holds the buckets of the limiter, KEYS[2] the last reply to this client.
-- ARGV: the identity of the limiter (layout and limits), the batch (see wire.rs), and for how many
-- seconds to keep KEYS[1] at least, and KEYS[2]. Returns a reply (see wire.rs), or an error that
-- begins with `OPENLIMIT` (see problem.rs).

-- Times are microseconds of the server's clock. Levels, weights and waits are nanoseconds of a
-- limit's rate (see `scale`).

-- script.rs unrolls this text for a number of limits: lines that end in `--*` are repeated together
-- with 1, 2, .. in place of `$`, and what stands in double braces becomes a list. Lines that end in
-- `--resets` are only for limits that reset, those that end in `--leaks` only for the others, and
-- those that end in `--shares` only for shares. It strips lines that begin with two dashes and a
-- space, so comments cost nothing. For many limits, variables such as `level$` are entries of
-- tables (`level[1]`), so they need a value where they are declared.

local spread = unpack
local max, min, pack, unpack, rep = math.max, math.min, struct.pack, struct.unpack, string.rep
local batch, at, below = ARGV[2], 0, {}
local seq, seen_seq, seen_at, seen_epoch, seen_charges, alone_for, alone_epoch, made_at, ahead, ahead_at, look_ahead, longest_pause, seen_news, seen_held, hold_until, hold_ends, exhausts, refunds, calls
seq, seen_seq, seen_at, seen_epoch, seen_charges, alone_for, alone_epoch, made_at, ahead, ahead_at, below.ahead, below.at, look_ahead, longest_pause, seen_news, seen_held, hold_until, hold_ends, exhausts, refunds, calls, at =
  unpack('<ddddddddddddddddddddd', batch)

-- A client has one batch in flight. It numbers them, and sends a batch again when it got no reply.
-- A batch that was decided already gets the same reply, and changes nothing. A batch with an
-- earlier number was delayed on the way while its repetition was decided: no call waits for its
-- reply. What else is there is no reply to this client. A reply has ten numbers at least, and the
-- first one, that of its batch, is a whole one.
local now, is_behind
do
  local stored = redis.pcall('GET', KEYS[2])
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
  if type(stored) == 'table' then
    return string.match(stored.err, '^WRONGTYPE') and redis.error_reply('OPENLIMIT reply type') or stored
  elseif stored then
    local last_seq = #stored >= 80 and unpack('<d', stored) or 0
    if last_seq == seq then return pack('<d', now) .. string.sub(stored, 9) end
    if not (last_seq > 0 and last_seq < seq and last_seq % 1 == 0) then return redis.error_reply('OPENLIMIT reply') end
    is_behind = last_seq < seen_seq
  else
    -- A reply that the client has seen would still be there.
    is_behind = seen_seq > 0 and now - seen_at < (ARGV[4] - 1) * 1000000
  end
end
