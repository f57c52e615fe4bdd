// The options of one client out of its section of the configuration, and their check, whose messages name settings.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Flagstone.Extensions.Hosting;

internal sealed class FlagstoneSettings(string name, IConfiguration? section) :
    IConfigureNamedOptions<FlagstoneOptions>, IConfigureNamedOptions<FlagstoneHostingOptions>,
    IValidateOptions<FlagstoneOptions>, IValidateOptions<FlagstoneHostingOptions>
{
    /// <summary>As the section was when it was first looked at: a client keeps its options.</summary>
    private readonly Lazy<SettingsReader> _settings = new(() => new SettingsReader(section));

    public void Configure(FlagstoneOptions options) => Configure(Options.DefaultName, options);

    public void Configure(FlagstoneHostingOptions options) => Configure(Options.DefaultName, options);

    public void Configure(string? name1, FlagstoneOptions options)
    {
        if (name1 == name)
        {
            _settings.Value.Apply(options);
        }
    }

    public void Configure(string? name1, FlagstoneHostingOptions options)
    {
        if (name1 == name)
        {
            _settings.Value.Apply(options);
        }
    }

    public ValidateOptionsResult Validate(string? name1, FlagstoneOptions options)
    {
        if (name1 != name)
        {
            return ValidateOptionsResult.Skip;
        }
        List<string> failures = [.. _settings.Value.Failures];
        if (failures.Count == 0)
        {
            try
            {
                options.Validate();
            }
            catch (ArgumentException error)
            {
                failures.Add(WithSettings(error));
            }
            catch (ObjectDisposedException error)
            {
                failures.Add($"{nameof(FlagstoneOptions.TestData)}: {error.Message}");
            }
        }
        return Result(failures);
    }

    public ValidateOptionsResult Validate(string? name1, FlagstoneHostingOptions options)
    {
        if (name1 != name)
        {
            return ValidateOptionsResult.Skip;
        }
        (string Property, TimeSpan Time)[] times =
        [
            (nameof(FlagstoneHostingOptions.StartTimeout), options.StartTimeout),
            (nameof(FlagstoneHostingOptions.FlushTimeout), options.FlushTimeout),
        ];
        return Result(
        [
            .. from time in times
               where time.Time < TimeSpan.Zero || time.Time > TimeSpan.FromDays(1)
               select $"{_settings.Value.PathOf(time.Property)}: the time must be from 0 to a day, and is {time.Time:c}",
        ]);
    }

    private ValidateOptionsResult Result(List<string> failures) => failures.Count == 0
        ? ValidateOptionsResult.Success
        : ValidateOptionsResult.Fail(failures.Select(failure => name.Length == 0 ? failure : $"{failure} (client '{name}')"));

    /// <summary>What is said of properties, with the settings that have set them.</summary>
    private string WithSettings(ArgumentException error)
    {
        string message = error.Message;
        int end = error.ParamName is null ? -1 : message.LastIndexOf($" (Parameter '{error.ParamName}')", StringComparison.Ordinal);
        message = end < 0 ? message : message.Substring(0, end);
        return Regex.Replace(message, @"(?<![\w.:/])[A-Z]\w+(?![\w/])", word => _settings.Value.PathOf(word.Value));
    }
}
