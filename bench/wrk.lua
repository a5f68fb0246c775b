-- Rotates API keys, each request with five client headers. Arguments: how a key's number is
-- written (string.format), how many keys there are, the method, and a JSON body where there is one.
local requests = {}
local latest = 0

function init(args)
  wrk.headers["User-Agent"] = "bench/1.0 (wrk)"
  wrk.headers["Accept"] = "application/json"
  wrk.headers["Authorization"] = "Bearer abcdefghijklmnopqrstuvwxyz0123456789"
  wrk.headers["X-Request-Id"] = "req-0123456789abcdef"
  if args[4] then
    wrk.headers["Content-Type"] = "application/json"
  end
  for number = 1, tonumber(args[2]) do
    wrk.headers["X-API-Key"] = string.format(args[1], number)
    requests[number] = wrk.format(args[3], nil, nil, args[4])
  end
end

function request()
  latest = latest % #requests + 1
  return requests[latest]
end
