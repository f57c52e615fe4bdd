// Reads a section of the configuration. A setting is named like a property, in as many parts as anybody likes: Redis:Url, RedisUrl
// and redis.url are the same.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace Flagstone.Extensions.Hosting;

internal sealed class SettingsReader
{
    /// <summary>What can be set, by the name without anything but its letters.</summary>
    private static readonly Dictionary<string, PropertyInfo> s_properties = typeof(FlagstoneOptions).GetProperties()
        .Concat(typeof(FlagstoneHostingOptions).GetProperties())
        .Where(static property => property.CanWrite && SettingValue.CanBe(property.PropertyType))
        .ToDictionary(static property => property.Name, StringComparer.OrdinalIgnoreCase);

    private readonly Dictionary<PropertyInfo, (string Path, object? Value)> _found = [];
    private readonly List<string> _failures = [];

    /// <summary>Reads a section; null is an empty one.</summary>
    internal SettingsReader(IConfiguration? section)
    {
        foreach (IConfigurationSection setting in section?.GetChildren() ?? [])
        {
            Read(setting, "");
        }
    }

    /// <summary>What makes no sense; each names its setting.</summary>
    internal IReadOnlyList<string> Failures => _failures;

    /// <summary>Sets the properties of an object.</summary>
    internal void Apply(object options)
    {
        foreach (KeyValuePair<PropertyInfo, (string Path, object? Value)> found in _found)
        {
            if (found.Key.DeclaringType == options.GetType())
            {
                Set(options, found.Key, found.Value.Path, found.Value.Value);
            }
        }
    }

    /// <summary>The setting that has set a property; the name of the property where none has.</summary>
    internal string PathOf(string property)
    {
        // A time has two names, and the checks know the one in milliseconds.
        string twin = property.EndsWith("Ms", StringComparison.Ordinal) ? property.Substring(0, property.Length - 2) : property;
        return _found.Where(found => found.Key.Name == property || found.Key.Name == twin).Select(static found => found.Value.Path)
            .FirstOrDefault() ?? property;
    }

    private void Read(IConfigurationSection setting, string before)
    {
        string name = before + string.Concat(setting.Key.Split('.', '_', '-'));
        IConfigurationSection[] children = [.. setting.GetChildren()];
        if (s_properties.TryGetValue(name, out PropertyInfo? property))
        {
            if (SettingValue.IsCollection(property.PropertyType))
            {
                Keep(setting, property, children);
                return;
            }
            if (setting.Value is not null)
            {
                Keep(setting, property, children);
            }
        }
        else if (children.Length == 0)
        {
            string near = Nearest(name) is string known ? $"; did you mean {known}?" : "";
            _failures.Add($"{setting.Path}: there is no such setting{near}");
        }
        foreach (IConfigurationSection child in children)
        {
            Read(child, name);
        }
    }

    private void Keep(IConfigurationSection setting, PropertyInfo property, IConfigurationSection[] children)
    {
        if (_found.TryGetValue(property, out (string Path, object? Value) other))
        {
            _failures.Add($"{setting.Path}: {other.Path} says the same, and one of them is enough");
        }
        else if (SettingValue.TryRead(property.PropertyType, setting.Value, children, out object? value, out string? wanted))
        {
            _found[property] = (setting.Path, value);
        }
        else
        {
            _failures.Add($"{setting.Path}: {wanted}");
        }
    }

    private void Set(object options, PropertyInfo property, string path, object? value)
    {
        try
        {
            property.SetValue(options, value);
        }
        catch (TargetInvocationException error) when (error.InnerException is ArgumentException refused)
        {
            string message = string.Format(CultureInfo.InvariantCulture, "{0}: {1}", path, refused.Message.Split('\n')[0].TrimEnd());
            if (!_failures.Contains(message))
            {
                _failures.Add(message);
            }
        }
    }

    /// <summary>A property with a name that is nearly the same.</summary>
    private static string? Nearest(string name)
    {
        (string Name, int Distance) nearest = s_properties.Values
            .Select(property => (property.Name, Distance: Distance(name.ToUpperInvariant(), property.Name.ToUpperInvariant())))
            .OrderBy(static known => known.Distance)
            .First();
        return nearest.Distance <= 1 + (name.Length / 5) ? nearest.Name : null;
    }

    /// <summary>How many letters differ, are missing or too many.</summary>
    private static int Distance(string one, string other)
    {
        int[] row = [.. Enumerable.Range(0, other.Length + 1)];
        for (int i = 1; i <= one.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= other.Length; j++)
            {
                int changed = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(changed, 1 + Math.Min(row[j], row[j - 1]));
            }
        }
        return row[other.Length];
    }
}
