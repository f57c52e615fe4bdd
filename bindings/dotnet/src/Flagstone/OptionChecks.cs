// What is refused about options before the library sees them: what can only be a mistake, and what it would find out later or
// take in another sense.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text.RegularExpressions;

namespace Flagstone;

internal static class OptionChecks
{
    /// <summary>How the library begins where it does not name an option first, and which one it is about.</summary>
    private static readonly (string Begin, string Name)[] s_unnamed =
    [
        ("redis.tls.* options need ", "redis.url"),
        ("not usable: a cluster has database 0 only", "redis.database"),
        ("the header ", "http.headers"),
    ];

    private static readonly string[] s_proxySchemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

    /// <exception cref="ArgumentException">An option cannot be meant; the message names its property.</exception>
    internal static void Check(FlagstoneOptions options)
    {
        CheckRedisUrl(nameof(FlagstoneOptions.RedisUrl), OptionTable.ValueOf(options, "redis.url"));
        CheckRedisUrl(nameof(FlagstoneOptions.BigSegmentsUrl), OptionTable.ValueOf(options, "big_segments.url"));
        CheckProxy(OptionTable.ValueOf(options, "http.proxy"));
        CheckSnapshot(OptionTable.ValueOf(options, "snapshot.file"));
        if (OptionTable.ValueOf(options, "events.spool") is string spool && File.Exists(spool))
        {
            throw Refused(nameof(FlagstoneOptions.EventsSpool), $"{spool} is a file, and a folder is wanted");
        }
        if (options.RedisCredentialsProvider is not null && OptionTable.ValueOf(options, "redis.credentials") != "host")
        {
            throw Refused(
                nameof(FlagstoneOptions.RedisCredentialsProvider),
                $"it gives the credentials, and {nameof(FlagstoneOptions.RedisCredentials)} names another source");
        }
        CheckItems(nameof(FlagstoneOptions.Hooks), options.Hooks);
        CheckItems(nameof(FlagstoneOptions.Plugins), options.Plugins);
        bool other = options.Others.TryGetValue("source.kind", out string? kind)
            ? kind != "testdata"
            : options.SourceKind is not (null or SourceKind.TestData);
        if (options.TestData is not null && other)
        {
            throw Refused(
                nameof(FlagstoneOptions.TestData), $"test data are a source, and {nameof(FlagstoneOptions.SourceKind)} names another");
        }
    }

    /// <summary>The exception for an option.</summary>
    internal static ArgumentException Refused(string property, string reason, string argument = "options") =>
        new($"{property}: {reason}", argument);

    /// <inheritdoc cref="Translated(string, FlagstoneOptions)"/>
    internal static string Translated(string message) => Translated(message, new FlagstoneOptions());

    /// <summary>What the library says of options, with the names of their properties.</summary>
    /// <param name="message">The message.</param>
    /// <param name="options">What was set by name keeps its name.</param>
    internal static string Translated(string message, FlagstoneOptions options)
    {
        foreach ((string name, Func<FlagstoneOptions, string?> _) in OptionTable.Options)
        {
            if (!options.Others.ContainsKey(name))
            {
                // Not within a longer one.
                message = Regex.Replace(message, $@"(?<![\w.]){Regex.Escape(name)}(?![\w.]*\w)", OptionTable.PropertyOf(name));
            }
        }
        (_, string? about) = Array.Find(s_unnamed, unnamed => message.StartsWith(unnamed.Begin, StringComparison.Ordinal));
        if (about is not null && !options.Others.ContainsKey(about))
        {
            return $"{OptionTable.PropertyOf(about)}: {Regex.Replace(message, @"^redis\.tls\.\*", "RedisTls*")}";
        }
        // As the checks here say it. What was set by name goes on as the library says it.
        return Regex.Replace(message, @"^option (?=[A-Z]\w*: )", "");
    }

    private static void CheckItems<T>(string property, IList<T>? items)
        where T : class
    {
        if (items?.Contains(null!) == true)
        {
            throw Refused(property, "one is null");
        }
    }

    private static void CheckRedisUrl(string property, string? url)
    {
        if (url is null)
        {
            return;
        }
        if (string.IsNullOrWhiteSpace(url))
        {
            throw Refused(property, "it is empty; null is the default");
        }
        if (url.AsSpan().IndexOf("://".AsSpan()) < 0)
        {
            throw Refused(property, $"it is no URL; write {StackExchangeForm.ToUrl(url)}");
        }
    }

    private static void CheckProxy(string? proxy)
    {
        if (proxy is not null && (!Uri.TryCreate(proxy.Trim(), UriKind.Absolute, out Uri? url) || url.Host.Length == 0
            || Array.IndexOf(s_proxySchemes, url.Scheme) < 0))
        {
            // It is not shown: it may have a password.
            throw Refused(
                nameof(FlagstoneOptions.HttpProxy), "it is no URL of a proxy, such as http://proxy.example.org:3128");
        }
    }

    private static void CheckSnapshot(string? file)
    {
        const string Property = nameof(FlagstoneOptions.SnapshotFile);
        if (string.IsNullOrEmpty(file))
        {
            return;
        }
        string? folder;
        try
        {
            folder = Path.GetDirectoryName(Path.GetFullPath(file));
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException or PathTooLongException)
        {
            throw Refused(Property, $"it is no path: {error.Message}");
        }
        if (folder is null || Directory.Exists(file))
        {
            throw Refused(Property, $"{file} is a folder");
        }
        if (!Directory.Exists(folder))
        {
            throw Refused(Property, $"there is no folder {folder}");
        }
    }
}
