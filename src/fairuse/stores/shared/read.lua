-- What is used of some tallies: KEYS are the tallies, the answer has one list for each.

local NEXT, ENDS, UNITS = 4, 1, 2
local now = server_time()
local readings = {}

for n, key in ipairs(KEYS) do
    local state = redis.call('GET', key)
    local reading = {}
    if state then
        local kind, width, owners, slots, level = unpack(cmsgpack.unpack(state))
        local last, settled, held, began, ends = #slots - NEXT + 1, 0, 0, 0, 0
        local live = last >= 1 and now < slots[last + ENDS]
        local window = 0
        if width > 0 then
            for i = 1, #slots, NEXT do
                if now < slots[i + ENDS] then
                    began = began == 0 and slots[i] or began
                    settled, ends = settled + slots[i + UNITS], slots[i + ENDS]
                end
            end
        elseif live then
            settled, began, ends, window = slots[last + UNITS], slots[last], slots[last + ENDS], slots[last]
        end
        local names = {}
        for _, owner in ipairs(owners) do
            -- What a silent process had let in counts, where nothing may be forgotten.
            local silent = owner[7] == 1 and kind == 'flow' and (width == 0 or now < owner[5] + width)
            if now < owner[5] or silent then
                if kind == 'in flight' or owner[2] == window then
                    held = held + owner[3]  -- what is only leased is not used
                end
                for _, name in ipairs(owner[8] ~= 0 and owner[8] or {}) do
                    local set = key .. ':' .. string.format('%.0f', window)
                    if not names[name] and redis.call('SISMEMBER', set, name) == 0 then
                        names[name] = true
                        held = held + 1
                    end
                end
            end
        end
        if width > 0 and held > 0 then
            began, ends = began == 0 and now or began, now + width
        end
        local used = settled + held
        if kind == 'in flight' or kind == 'gauge' then
            used = kind == 'gauge' and level or held
            settled = live and settled or used
        end
        if live or used > 0 then
            reading = { settled, used, string.format('%.0f', began), string.format('%.0f', ends) }
        end
    end
    readings[n] = reading
end
return { string.format('%.0f', now), readings }
