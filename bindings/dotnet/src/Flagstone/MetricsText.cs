// Reads the library's metrics: Prometheus' text format, as far as the library writes it.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Flagstone;

/// <summary>One value of a metric.</summary>
internal readonly record struct MetricSample(double Value, KeyValuePair<string, object?>[] Labels);

internal static class MetricsText
{
    /// <summary>The samples of every metric, by its name. Lines that are none are left out.</summary>
    internal static Dictionary<string, List<MetricSample>> Parse(string text)
    {
        Dictionary<string, List<MetricSample>> families = new(StringComparer.Ordinal);
        int start = 0;
        while (start < text.Length)
        {
            int end = text.IndexOf('\n', start);
            end = end < 0 ? text.Length : end;
            if (end > start && text[start] != '#')
            {
                Line(text, start, end, families);
            }
            start = end + 1;
        }
        return families;
    }

    private static void Line(string text, int start, int end, Dictionary<string, List<MetricSample>> families)
    {
        int at = start;
        while (at < end && text[at] is not ('{' or ' '))
        {
            at++;
        }
        string name = text.Substring(start, at - start);
        List<KeyValuePair<string, object?>> labels = [];
        if (at < end && text[at] == '{')
        {
            at = Labels(text, at + 1, end, labels);
        }
        string value = text.Substring(at, end - at);
        if (!double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
        {
            return;
        }
        if (!families.TryGetValue(name, out List<MetricSample>? samples))
        {
            families[name] = samples = [];
        }
        samples.Add(new MetricSample(number, [.. labels]));
    }

    /// <summary>Reads <c>a="b",c="d"}</c>; where it ends.</summary>
    private static int Labels(string text, int at, int end, List<KeyValuePair<string, object?>> labels)
    {
        while (at < end && text[at] != '}')
        {
            int equals = text.IndexOf('=', at, end - at);
            if (equals < 0)
            {
                return end;
            }
            string name = text.Substring(at, equals - at);
            StringBuilder value = new();
            // Behind the equals sign and the quotation mark.
            at = equals + 2;
            while (at < end && text[at] != '"')
            {
                if (text[at] == '\\' && at + 1 < end)
                {
                    at++;
                    value.Append(text[at] == 'n' ? '\n' : text[at]);
                }
                else
                {
                    value.Append(text[at]);
                }
                at++;
            }
            labels.Add(new(name, value.ToString()));
            at++;
            if (at < end && text[at] == ',')
            {
                at++;
            }
        }
        return Math.Min(at + 1, end);
    }
}
