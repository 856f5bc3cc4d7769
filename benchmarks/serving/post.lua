-- wrk script: posts the requests of a file in turn. Arguments: file (a line with the length before each body), content
-- type, length of the head of a binary body (0: none).
local requests = {}
local turn = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local headers = { ["Content-Type"] = args[2] }
  if tonumber(args[3]) > 0 then headers["Inference-Header-Content-Length"] = args[3] end
  while true do
    local length = file:read("*l")
    if not length then break end
    local body = file:read(tonumber(length))
    file:read(1)
    requests[#requests + 1] = wrk.format("POST", nil, headers, body)
  end
  file:close()
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
