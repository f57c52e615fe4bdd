// The library's log lines, each with the category and the event of what it is about.
using System;
using System.Collections.Generic;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Flagstone;

internal sealed class NativeLog
{
    private static readonly (string Area, string Category, Action<ILogger, LogLevel, string> Write)[] s_areas =
    [
        ("client", "Flagstone.Client", Log.Client),
        ("source", "Flagstone.Source", Log.Source),
        ("store", "Flagstone.Store", Log.Store),
        ("events", "Flagstone.Events", Log.Events),
        ("big_segments", "Flagstone.BigSegments", Log.BigSegments),
    ];

    private readonly ILogger _logger;
    private readonly Dictionary<string, (ILogger Logger, Action<ILogger, LogLevel, string> Write)> _areas = new(StringComparer.Ordinal);

    /// <summary>Makes a logger for each area.</summary>
    /// <param name="factory">Null: nobody wants to know.</param>
    /// <param name="logger">For lines of no area.</param>
    internal NativeLog(ILoggerFactory? factory, ILogger logger)
    {
        _logger = logger;
        foreach ((string area, string category, Action<ILogger, LogLevel, string> write) in factory is null ? [] : s_areas)
        {
            _areas[area] = (new SafeLogger(factory!.CreateLogger(category)), write);
        }
    }

    /// <summary>Writes a line.</summary>
    /// <param name="level">Its level.</param>
    /// <param name="line">The text.</param>
    /// <param name="extra">What the library says about it, as JSON; an older one says nothing.</param>
    internal void Write(LogLevel level, string line, string extra)
    {
        if (AreaOf(extra) is string area && _areas.TryGetValue(area, out (ILogger Logger, Action<ILogger, LogLevel, string> Write) found))
        {
            found.Write(found.Logger, level, line);
        }
        else
        {
            Log.Native(_logger, level, line);
        }
    }

    private static string? AreaOf(string extra)
    {
        if (extra.Length == 0)
        {
            return null;
        }
        using JsonDocument form = JsonDocument.Parse(extra);
        return StatusForm.Text(form.RootElement, "area");
    }
}
