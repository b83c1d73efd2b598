# Makes the calls of a part of calls.json at a server, and compares each answer with what it says of it.

require 'json'
require 'set'
require 'xmlrpc/client'

file, part, url = ARGV
PLAN = JSON.parse(File.read(file, encoding: 'UTF-8'))
SIMPLE = { 'string' => [String], 'int' => [Integer], 'boolean' => [true, false] }.freeze

def fits?(value, kind)
  case kind
  when String
    PLAN['types'].key?(kind) ? fits?(value, PLAN['types'][kind]) : SIMPLE[kind].any? { |one| one === value }
  when Array
    value.is_a?(Array) && value.all? { |item| fits?(item, kind[0]) }
  else
    if kind.key?('=')
      value == kind['=']
    elsif kind.key?('each')
      value.is_a?(Array) && value.size == kind['each'].size && value.zip(kind['each']).all? { |pair| fits?(*pair) }
    else
      value.is_a?(Hash) && value.keys.to_set == kind.keys.to_set && kind.all? { |name, one| fits?(value[name], one) }
    end
  end
end

server = XMLRPC::Client.new2("#{url}/RPC2")
called = Set.new
PLAN[part].each do |method, params, kind|
  begin
    answer = server.call(method, *params)
    called << method
    good = !kind.to_s.start_with?('fault') && fits?(answer, kind)
  rescue XMLRPC::FaultException => e
    answer = e.message
    good = kind == "fault #{e.faultCode}"
  end
  abort "#{method}#{params} answers #{answer.inspect}, which is not #{kind}" unless good
end

if part == 'others'
  missing = server.call('system.listMethods').to_set - called
  abort "not called: #{missing.to_a}" unless missing == Set['supervisor.restart', 'supervisor.shutdown']
end
