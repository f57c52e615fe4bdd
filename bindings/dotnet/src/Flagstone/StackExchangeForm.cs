// The configuration strings of StackExchange.Redis ("host:6379,password=…,ssl=true"), which .NET services often have at hand: how
// to write the same as a URL. They are not taken as they are, since most of what they can say has no counterpart here.
using System;
using System.Collections.Generic;

namespace Flagstone;

internal static class StackExchangeForm
{
    private static readonly char[] s_equals = ['='];

    /// <summary>The URL to write; what is secret is not shown.</summary>
    internal static string ToUrl(string configuration)
    {
        List<string> hosts = [];
        Dictionary<string, string> settings = new(StringComparer.OrdinalIgnoreCase);
        foreach (string part in configuration.Split(','))
        {
            string[] pair = part.Split(s_equals, 2);
            if (pair.Length == 2)
            {
                settings[pair[0].Trim()] = pair[1].Trim();
            }
            else
            {
                hosts.Add(part.Trim());
            }
        }
        bool tls = settings.TryGetValue("ssl", out string? ssl) && string.Equals(ssl, "true", StringComparison.OrdinalIgnoreCase);
        string user = settings.TryGetValue("user", out string? name) ? Uri.EscapeDataString(name) : "";
        string password = settings.ContainsKey("password") ? ":<password>" : "";
        string login = user.Length + password.Length > 0 ? $"{user}{password}@" : "";
        string database = settings.TryGetValue("defaultDatabase", out string? number) ? $"/{number}" : "";
        string scheme = tls ? "rediss" : "redis";
        // A text with an @ or a ? is something else, perhaps with a password in it.
        hosts.RemoveAll(host => host.Length == 0 || host.IndexOfAny(['@', '?', '/', ' ']) >= 0);
        if (settings.TryGetValue("serviceName", out string? service))
        {
            string sentinels = hosts.Count == 0 ? "host:26379" : string.Join(",", hosts);
            string path = $"/{Uri.EscapeDataString(service)}{database}";
            return $"{scheme}+sentinel://{login}{sentinels}{path}{SentinelLogin(settings)}";
        }
        string one = $"{scheme}://{login}{(hosts.Count == 0 ? "host:6379" : hosts[0])}{database}";
        // Several servers are the nodes of a cluster, which has no numbers of databases, or one and its replicas.
        return hosts.Count > 1 && database.Length == 0
            ? $"{scheme}+cluster://{login}{string.Join(",", hosts)} for a cluster, {one} for one server"
            : one;
    }

    private static string SentinelLogin(Dictionary<string, string> settings)
    {
        List<string> options = [];
        if (settings.TryGetValue("sentinelUser", out string? user))
        {
            options.Add($"sentinel_user={Uri.EscapeDataString(user)}");
        }
        if (settings.ContainsKey("sentinelPassword"))
        {
            options.Add("sentinel_password=<password>");
        }
        return options.Count == 0 ? "" : $"?{string.Join("&", options)}";
    }
}
