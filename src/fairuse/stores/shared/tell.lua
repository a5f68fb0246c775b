-- What one process tells of the tallies it shares with others, and what it asks of them: one atomic
-- step. Units are settled (in slots) or held by their owner: open in requests, or leased ahead.
--
-- A process says what it holds as a whole and not by how much that changed, and numbers what it
-- counted. So a message that was lost on its way back can be told again, and counts once.
--
-- KEYS: the indexes of the accounts; the key of a tally is that of its index, and more.
-- ARGV: who tells, for how long it is believed, whether nothing may be forgotten, and what is told:
-- see message.py, which writes it and reads the answer.

local GRAINS = 64          -- as in rules/tally.py
local LEASED_AT_ONCE = 64  -- a lease is at most this part of what is free: near the limit, none
local TOLD_AGAIN = 600000  -- for so long a message can be told again
local KEPT = 604800000     -- for so long a window that is over can still be told of
local MOST_MEMBERS = 100000 -- as in rules/members.py
local FOREVER = 9e15
local LONG = 34560000000   -- 400 days

-- A tally, and what one owner has of it.
local KIND, WIDTH, OWNERS, SLOTS, LEVEL, TOLD_AT, CLOCK, LISTED = 1, 2, 3, 4, 5, 6, 7, 8
local ID, WINDOW, OPEN, LEASE, UNTIL, NUMBER, STRICT, NAMES, GIVEN_UP = 1, 2, 3, 4, 5, 6, 7, 8, 9
-- The slots are one flat list: four numbers a slot.
local BEGAN, ENDS, UNITS, CROSSED, NEXT = 0, 1, 2, 3, 4
local UNTOLD = 2  -- of CROSSED, beside 0 and 1: the limit was gone over, and nobody keeps it yet

local now = server_time()
local me, lease_for, strict = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local told_of, asked_for = unpack(cjson.decode(ARGV[4]))

local function sum(t)
    local units, slots = 0, t[SLOTS]
    for i = 1, #slots, NEXT do
        units = units + slots[i + UNITS]
    end
    return units
end

local function insert(slots, i, began, ends)
    for j = #slots, i, -1 do
        slots[j + NEXT] = slots[j]
    end
    slots[i + BEGAN], slots[i + ENDS], slots[i + UNITS], slots[i + CROSSED] = began, ends, 0, 0
    return i
end

local function drop(slots, count)
    local kept = {}
    for j = count + 1, #slots do
        kept[#kept + 1] = slots[j]
    end
    return kept
end

-- Rolling windows: a slot ends one window after its latest unit.

local function rolling_slot(t, moment)
    if moment + t[WIDTH] <= now then
        return nil
    end
    local slots, i, before = t[SLOTS], 1, nil
    while slots[i] and slots[i + BEGAN] <= moment do
        before, i = i, i + NEXT
    end
    if before and moment - slots[before + BEGAN] < t[WIDTH] / GRAINS then
        slots[before + ENDS] = math.max(slots[before + ENDS], moment + t[WIDTH])
        return before
    end
    return insert(slots, i, moment, moment + t[WIDTH])
end

local function expire_slots(t)
    local slots, over = t[SLOTS], 0
    while slots[over + 1] and slots[over + 1 + ENDS] <= now do
        over = over + NEXT
    end
    if over > 0 then
        t[SLOTS] = drop(slots, over)
    end
end

-- A clock that was set back holds nobody up: what was to end in ten seconds still does.
local function follow_clock(t)
    local back = (t[CLOCK] or now) - now
    if back > 1000 then
        for i = 1, #t[SLOTS], NEXT do
            t[SLOTS][i + BEGAN] = t[SLOTS][i + BEGAN] - back
            t[SLOTS][i + ENDS] = t[SLOTS][i + ENDS] - back
        end
        for _, owner in ipairs(t[OWNERS]) do
            owner[UNTIL] = owner[UNTIL] - back
            if owner[GIVEN_UP] ~= 0 then
                owner[GIVEN_UP][1] = owner[GIVEN_UP][1] - back
            end
        end
    end
    t[CLOCK] = now
end

-- Calendar windows: one slot each. The latest lasts as long as it was to last when it began.

local function latest_window(t)
    local slots = t[SLOTS]
    local last = #slots - NEXT + 1
    if last >= 1 and now < slots[last + ENDS] then
        return last
    end
    return nil
end

local function current_window(t)
    local live = latest_window(t)
    if live then
        return live
    end
    local slots, bounds = t[SLOTS], t.bounds
    local began, ends = bounds[#bounds - 1], bounds[#bounds]
    for j = 1, #bounds - 1 do
        if bounds[j] <= now and now < bounds[j + 1] then
            began, ends = bounds[j], bounds[j + 1]
        end
    end
    local over = 0
    while slots[over + 1] and slots[over + 1 + ENDS] + KEPT <= now do
        over = over + NEXT
    end
    if over > 0 then
        slots = drop(slots, over)
        t[SLOTS] = slots
    end
    if #slots > 0 then
        began = math.max(began, slots[#slots - NEXT + 1 + BEGAN] + 1)
    end
    local i = insert(slots, #slots + 1, began, ends)
    if t[KIND] == 'in flight' or t[KIND] == 'gauge' then
        slots[i + UNITS] = t[LEVEL]
    end
    return i
end

local function window_of(t, began, ends)
    if now < ends then
        return current_window(t)
    end
    local slots, i = t[SLOTS], 1
    while slots[i] and slots[i + ENDS] <= began do
        i = i + NEXT
    end
    if slots[i] and slots[i + BEGAN] <= began then
        return i
    end
    return insert(slots, i, began, ends)
end

local function set_of(t, began)
    return t.key .. ':' .. string.format('%.0f', began)
end

-- What is held by whom.

local function window_now(t)
    if t[WIDTH] > 0 then
        return 0
    end
    local live = latest_window(t)
    return live and t[SLOTS][live + BEGAN] or -1
end

local function slot_that_began(t, began)
    for i = 1, #t[SLOTS], NEXT do
        if t[SLOTS][i + BEGAN] == began then
            return i
        end
    end
    return nil
end

-- Whoever is silent for long is given up. What it had let in counts, where nothing may be forgotten.
local function give_up(t, owner)
    if owner[STRICT] == 1 and owner[OPEN] > 0 and t[KIND] == 'flow' then
        local rolling = t[WIDTH] > 0
        local i = rolling and rolling_slot(t, owner[UNTIL]) or slot_that_began(t, owner[WINDOW])
        if i then
            t[SLOTS][i + UNITS] = t[SLOTS][i + UNITS] + owner[OPEN]
            owner[GIVEN_UP] = { t[SLOTS][i + BEGAN], owner[OPEN] }
        end
    end
    owner[OPEN], owner[LEASE], owner[NAMES] = 0, 0, 0
end

-- It may only have been slow: then it says itself what became of what it had let in.
local function take_back(t, owner)
    local began, units = unpack(owner[GIVEN_UP])
    local i = slot_that_began(t, began)
    if i then
        t[SLOTS][i + UNITS] = math.max(0, t[SLOTS][i + UNITS] - units)
    end
    owner[GIVEN_UP] = 0
end

local function expire_owners(t)
    local kept = {}
    for _, owner in ipairs(t[OWNERS]) do
        if owner[ID] == me then
            if owner[GIVEN_UP] ~= 0 then
                take_back(t, owner)
            end
        elseif owner[UNTIL] <= now then
            give_up(t, owner)
        end
        local given_up = owner[GIVEN_UP] ~= 0 and slot_that_began(t, owner[GIVEN_UP][1])
        if owner[ID] == me or given_up or owner[UNTIL] + TOLD_AGAIN > now then
            kept[#kept + 1] = owner
        end
    end
    t[OWNERS] = kept
end

local function held(t, mine)
    local units, window = 0, window_now(t)
    for _, owner in ipairs(t[OWNERS]) do
        if (owner[ID] == me) == mine and (t[KIND] == 'in flight' or owner[WINDOW] == window) then
            units = units + owner[OPEN] + owner[LEASE]
        end
    end
    return units
end

local function seen(t, member)
    local live = latest_window(t)
    return live and redis.call('SISMEMBER', set_of(t, t[SLOTS][live + BEGAN]), member) == 1
end

local function let_in(t)
    local names, count = {}, 0
    for _, owner in ipairs(t[OWNERS]) do
        for _, name in ipairs(owner[NAMES] ~= 0 and owner[NAMES] or {}) do
            if not names[name] and not seen(t, name) then
                names[name], count = true, count + 1
            end
        end
    end
    return names, count
end

local function settled(t)
    if t[WIDTH] > 0 then
        return sum(t)
    end
    local live = latest_window(t)
    return live and t[SLOTS][live + UNITS] or 0
end

local function used(t)
    local kind = t[KIND]
    if kind == 'gauge' then
        return t[LEVEL]
    elseif kind == 'in flight' then
        return held(t, true) + held(t, false)
    elseif kind == 'members' then
        local _, count = let_in(t)
        return settled(t) + count
    end
    -- What is settled, and what others hold, stays as it is while requests are decided.
    return t.settled + t.elsewhere + t.mine[OPEN] + t.mine[LEASE]
end

-- What is told.

-- A limit is gone over by what is more than before: what was within it once stays so, however low the
-- amount is by then. It is told again and again, until somebody says that it is kept: who was told
-- first may have crashed.
local function crossing(t, i, amount, before)
    if t.soft == 0 then
        return
    end
    local slots = t[SLOTS]
    local reading = t[WIDTH] > 0 and sum(t) or slots[i + UNITS]
    if reading <= amount then
        return
    end
    if slots[i + CROSSED] == 0 and slots[i + UNITS] > before then
        slots[i + CROSSED] = UNTOLD
    end
    if slots[i + CROSSED] == UNTOLD then
        t.crossed = { reading, slots[i + BEGAN], slots[i + ENDS], amount }
    end
end

local function raise_peak(t, level)
    local i = current_window(t)
    local before = t[SLOTS][i + UNITS]
    t[SLOTS][i + UNITS] = math.max(before, level)
    crossing(t, i, t.amount, before)
end

local function count(t, began, ends, value, moment, amount)
    local i, before
    if t[KIND] == 'members' then
        i = window_of(t, began, ends)
        before = t[SLOTS][i + UNITS]
        local set = set_of(t, t[SLOTS][i + BEGAN])
        if redis.call('SCARD', set) < MOST_MEMBERS then
            redis.call('SADD', set, value)
        end
        redis.call('PEXPIRE', set, math.min(LONG, math.max(KEPT, t[SLOTS][i + ENDS] - now + KEPT)))
        t[SLOTS][i + UNITS] = redis.call('SCARD', set)
    elseif t[KIND] == 'gauge' then
        i = window_of(t, began, ends)
        before = t[SLOTS][i + UNITS]
        local level = tonumber(value)
        t[SLOTS][i + UNITS] = math.max(t[SLOTS][i + UNITS], level)
        if moment >= (t[TOLD_AT] or 0) then
            t[LEVEL], t[TOLD_AT] = level, moment
            local latest = current_window(t)
            t[SLOTS][latest + UNITS] = math.max(t[SLOTS][latest + UNITS], level)
        end
    elseif t[WIDTH] > 0 then
        i = rolling_slot(t, now - moment)
    else
        i = window_of(t, began, ends)
    end
    if i and t[KIND] == 'flow' then
        before = t[SLOTS][i + UNITS]
        t[SLOTS][i + UNITS] = math.min(t[SLOTS][i + UNITS] + tonumber(value), 9007199254740991)
    end
    if i then
        crossing(t, i, amount, before)
    end
end

-- What is held of a window that is over is held no longer.
local function in_window_now(t, told, open, lease)
    local live = latest_window(t)
    if not live and open > 0 then
        live = current_window(t)
    end
    if not live then
        return 0, 0, 0
    end
    local began, ends = t[SLOTS][live + BEGAN], t[SLOTS][live + ENDS]
    -- One that follows a shorter one of the same beginning begins some milliseconds later.
    if began - 1000 <= told and told < ends then
        return began, open, lease
    end
    return began, 0, 0
end

if #told_of == 0 then
    -- A probe: a store that is full, or may only be read, is not back.
    redis.call('SET', KEYS[1], now, 'PX', TOLD_AGAIN)
end

local tallies = {}
local states = {}
for first = 1, #told_of, 1000 do  -- Lua takes no more than some thousand arguments at once
    local keys = {}
    for n = first, math.min(first + 999, #told_of) do
        keys[#keys + 1] = told_of[n][1]
    end
    for n, state in ipairs(redis.call('MGET', unpack(keys))) do
        states[first + n - 1] = state
    end
end

for n, tell in ipairs(told_of) do
    local key, kind, width, index, bounds, amount, soft = unpack(tell, 1, 7)
    local told, window, open, lease, peak, wants, kept, counts, names = unpack(tell, 8, 16)
    local state = states[n]
    local t = state and cmsgpack.unpack(state) or { kind, width, {}, {}, 0, 0, now, 0 }
    t.key, t.index, t.new = key, KEYS[index], not state
    t.bounds, t.amount, t.soft, t.wants = bounds, amount, soft, wants
    if width > 0 then
        follow_clock(t)
        expire_slots(t)
    end
    expire_owners(t)
    local mine
    for _, owner in ipairs(t[OWNERS]) do
        if owner[ID] == me then
            mine = owner
        end
    end
    if not mine then
        mine = { me, 0, 0, 0, 0, 0, strict, 0, 0 }
        t[OWNERS][#t[OWNERS] + 1] = mine
    end
    t.mine = mine
    local i = kept > 0 and slot_that_began(t, kept)
    if i then
        t[SLOTS][i + CROSSED] = 1
    end
    if told > mine[NUMBER] then
        for _, each in ipairs(counts) do
            count(t, unpack(each))
        end
    end
    mine[NAMES] = #names > 0 and names or 0
    mine[NUMBER] = math.max(told, mine[NUMBER])
    if width == 0 and kind == 'flow' then
        window, open, lease = in_window_now(t, window, open, lease)
    end
    mine[WINDOW], mine[OPEN], mine[LEASE] = window, open, lease
    mine[UNTIL], mine[STRICT] = now + lease_for, strict
    t.settled, t.elsewhere = settled(t), held(t, false)
    if t[KIND] == 'in flight' then
        t[LEVEL] = used(t)
        raise_peak(t, t.elsewhere + peak)
    end
    tallies[n] = t
end

-- What is asked, request by request.

local function frees_in(t, units)
    if t[WIDTH] == 0 then
        local live = latest_window(t)
        local ends = live and t[SLOTS][live + ENDS] or FOREVER
        if t[KIND] == 'in flight' or t[KIND] == 'gauge' or ends >= FOREVER then
            return -1
        end
        return ends - now
    end
    local freed, slots = 0, t[SLOTS]
    for i = 1, #slots, NEXT do
        freed = freed + slots[i + UNITS]
        if freed >= units then
            return slots[i + ENDS] - now
        end
    end
    return t[WIDTH]  -- what is open still may be counted as of now
end

local function wait_for(t, cost, amount, reading)
    if cost > amount and (amount == 0 or t[WIDTH] == 0) then
        return -1
    elseif cost > amount then
        return frees_in(t, reading)
    end
    return frees_in(t, reading + cost - amount)
end

local function fits(t, cost, amount, member)
    local reading = used(t)
    if reading + cost <= amount then
        return true
    elseif t[KIND] == 'members' then
        local names = let_in(t)
        return seen(t, member) or names[member] or false, reading
    end
    return t[WIDTH] > 0 and reading == 0 and amount > 0, reading
end

local function take(t, cost, member)
    local mine = t.mine
    if t[KIND] == 'members' then
        current_window(t)
        mine[NAMES] = mine[NAMES] ~= 0 and mine[NAMES] or {}
        mine[NAMES][#mine[NAMES] + 1] = member
    elseif t[KIND] ~= 'gauge' then
        if t[WIDTH] == 0 then
            local window = t[SLOTS][current_window(t) + BEGAN]
            if mine[WINDOW] ~= window and t[KIND] == 'flow' then
                mine[OPEN], mine[LEASE] = 0, 0
            end
            mine[WINDOW] = window
        end
        mine[OPEN] = mine[OPEN] + cost
        if t[KIND] == 'in flight' then
            t[LEVEL] = used(t)
            raise_peak(t, t[LEVEL])
        end
    end
end

local verdicts = {}
for n, claims in ipairs(asked_for) do
    local asked, refused = {}, {}
    for c, claim in ipairs(claims) do
        local place, cost, amount, refusable, member = unpack(claim)
        local t = tallies[place]
        local ok, reading = true, 0
        if refusable == 1 then
            ok, reading = fits(t, cost, amount, member)
        end
        asked[c] = { t, cost, member }
        if not ok then
            refused[#refused + 1] = { c, reading, wait_for(t, cost, amount, reading) }
        end
    end
    if #refused == 0 then
        for _, each in ipairs(asked) do
            take(each[1], each[2], each[3])
        end
    end
    verdicts[n] = refused
end

local answers, crossings, indexed = {}, {}, {}
for n, t in ipairs(tallies) do
    local mine = t.mine
    if t.wants > 0 and t[KIND] == 'flow' then
        if t[WIDTH] == 0 then
            local window = t[SLOTS][current_window(t) + BEGAN]
            if mine[WINDOW] ~= window then
                mine[WINDOW], mine[OPEN], mine[LEASE] = window, 0, 0
            end
        end
        local free = math.floor((t.amount - used(t)) / LEASED_AT_ONCE)
        mine[LEASE] = mine[LEASE] + math.max(0, math.min(t.wants, free))
    end
    local window, ends = 0, 0
    if t[WIDTH] == 0 then
        local live = latest_window(t)
        if live then
            window, ends = t[SLOTS][live + BEGAN], t[SLOTS][live + ENDS]
        end
    end
    local elsewhere
    if t[KIND] == 'flow' then
        elsewhere = t.settled + t.elsewhere
    elseif t[KIND] == 'in flight' then
        elsewhere = t.elsewhere
    else
        elsewhere = used(t)
    end
    local place = #answers
    answers[place + 1], answers[place + 2] = elsewhere, mine[LEASE]
    answers[place + 3], answers[place + 4] = window, ends
    if t.crossed then
        crossings[#crossings + 1] = { n, unpack(t.crossed) }
    end

    local lasts = TOLD_AGAIN + lease_for
    if t[WIDTH] > 0 then
        lasts = math.max(lasts, t[WIDTH] * 2)
    elseif #t[SLOTS] > 0 then
        lasts = math.max(lasts, t[SLOTS][#t[SLOTS] - NEXT + 1 + ENDS] - now + KEPT)
    end
    lasts = math.min(lasts, LONG)
    if t.new or t[LISTED] < now + lasts / 2 then
        if not indexed[t.index] then
            indexed[t.index] = true
            redis.call('ZREMRANGEBYSCORE', t.index, '-inf', now)
            redis.call('PEXPIRE', t.index, LONG)
        end
        t[LISTED] = now + lasts
        redis.call('ZADD', t.index, t[LISTED], t.key)
    end
    local packed = cmsgpack.pack({
        t[KIND], t[WIDTH], t[OWNERS], t[SLOTS], t[LEVEL], t[TOLD_AT], t[CLOCK], t[LISTED],
    })
    redis.call('SET', t.key, packed, 'PX', lasts)
end
return { string.format('%.0f', now), answers, crossings, verdicts }
